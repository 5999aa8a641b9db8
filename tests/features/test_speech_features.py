"""Features of speech and voice, against signals that are known, short scripts, and Praat."""

import numpy as np
import pytest
import scipy.fft
import scipy.signal

from sklearn_ser import (
    AudioFeatureUnion,
    BarkSpectrum,
    Formants,
    Loudness,
    ModulationSpectrum,
    Perturbation,
    Pitch,
    Rhythm,
    SpectralShape,
    VoiceCorrelations,
    VoiceQuality,
    make_pipeline,
)
from sklearn_ser.audio.loader import load_audio
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import _contours, _pitch
from sklearn_ser.features._spectrum import STFT, Spectra
from tests.conftest import real_corpus

SR = 16000
SHORT = STFT(512, 256, 512, "hann", True, "constant")
ALL = [
    BarkSpectrum(),
    BarkSpectrum(scale="rasta"),
    BarkSpectrum(scale="loudness", over="voiced"),
    SpectralShape(deltas=1),
    Loudness(),
    Pitch(deltas=2),
    VoiceQuality(),
    VoiceCorrelations(),
    Rhythm(),
    ModulationSpectrum(),
    Formants(over="speech", statistics=("median",)),
    Perturbation(),
]


def buzz(pitch, seconds=1.0, noise=0.01, harmonics=20, seed=0):
    """Harmonics of a pitch, given in Hz as a number or for each sample, falling by 1/k."""
    n = int(seconds * SR)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(pitch, n)) / SR
    tone = sum(np.sin(k * phase) / k for k in range(1, harmonics + 1))
    return (0.2 * tone + noise * np.random.default_rng(seed).normal(size=n)).astype(np.float32)


def values(transformer, y):
    return dict(
        zip(transformer.get_feature_names_out(), transformer.transform([y])[0], strict=True)
    )


@pytest.mark.parametrize("transformer", ALL, ids=lambda t: type(t).__name__)
def test_one_name_for_each_feature_and_no_nonsense(transformer):
    rng = np.random.default_rng(0)
    clips = [buzz(150), buzz(250, 0.4), 0.1 * rng.normal(size=SR), np.zeros(SR), np.ones(1)]
    found = transformer.transform(clips)
    names = transformer.get_feature_names_out()
    assert found.shape == (5, len(names))
    assert len(set(names)) == len(names)
    assert np.isfinite(found).all()
    alone = np.concatenate([transformer.transform([y]) for y in clips])
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("transformer", ALL, ids=lambda t: type(t).__name__)
def test_gain_counts_for_nothing(transformer):
    y = np.concatenate(
        [buzz(120, 0.5), 0.001 * buzz(90, 0.2), buzz(np.linspace(150, 250, 8000), 0.5)]
    )
    found, quieter = transformer.transform([y, y / 64])
    np.testing.assert_allclose(found, quieter, rtol=2e-3, atol=5e-3)


@pytest.mark.parametrize("pitch", [70, 110, 220, 330, 550])
def test_pitch_of_a_buzz(pitch):
    found = values(Pitch(), buzz(pitch))
    assert found["pitch_of_clip"] == pytest.approx(12 * np.log2(pitch / 27.5), abs=0.05)
    assert found["pitch_voiced_std"] < 0.1


def test_a_melody_in_semitones():
    octave = 110 * 2 ** np.linspace(0, 1, 2 * SR)
    rising = values(Pitch(statistics=("slope", "range", "p5", "p95")), buzz(octave, 2))
    assert rising["pitch_voiced_range"] == pytest.approx(12, abs=0.5)
    assert rising["pitch_voiced_slope"] == pytest.approx(6, abs=0.2)
    assert rising["pitch_voiced_p95"] == pytest.approx(-rising["pitch_voiced_p5"], abs=0.3)
    assert values(Rhythm(), buzz(octave, 2))["rise_mean"] == pytest.approx(6, abs=0.1)


def test_neither_noise_nor_silence_has_a_pitch():
    for y in (0.1 * np.random.default_rng(0).normal(size=SR), np.zeros(SR)):
        spectra = Spectra([y.astype(np.float32)], SR, ["y"])
        assert _pitch.track(spectra, 256).voiced.mean() < 0.05


@pytest.mark.parametrize("decibels", [5, 10, 20])
def test_harmonics_to_noise_ratio(decibels):
    y = buzz(180, 2, noise=0, harmonics=8)
    noise = np.random.default_rng(1).normal(size=len(y))
    # White noise up to 8 kHz, of which the tracker hears the half below 4 kHz.
    noise *= np.sqrt(4 * np.mean(y**2) / np.mean(noise**2) / 10 ** (decibels / 10))
    found = values(VoiceQuality(), (y + noise).astype(np.float32))
    assert found["hnr_voiced_mean"] == pytest.approx(decibels, abs=1.5)


def test_first_harmonic_against_the_others():
    t = np.arange(SR) / SR
    y = sum(a * np.sin(2 * np.pi * 200 * k * t) for k, a in [(1, 0.4), (2, 0.2), (3, 0.05)])
    found = values(VoiceQuality(), y.astype(np.float32))
    assert found["h1_h2_voiced_mean"] == pytest.approx(6.02, abs=0.3)
    assert found["h1_h3_voiced_mean"] == pytest.approx(18.06, abs=0.3)


def test_shape_of_a_spectrum_by_a_short_script():
    y = buzz(140, 0.7, noise=0.05)
    framed = np.lib.stride_tricks.sliding_window_view(np.pad(y, 256), 512)[::256]
    power = np.abs(scipy.fft.rfft(framed * scipy.signal.get_window("hann", 512), axis=1)) ** 2
    hz = np.arange(257) * SR / 512
    share = power / power.sum(axis=1, keepdims=True)
    centroid = share @ hz

    def energy(low, high):
        return 10 * np.log10(power[:, (hz >= low) & (hz < high)].sum(axis=1))

    inside = (hz >= 500) & (hz <= 1500)
    expected = {
        "centroid": centroid,
        "spread": np.sqrt((share * (hz - centroid[:, None]) ** 2).sum(axis=1)),
        "rolloff_75": [hz[np.flatnonzero(row >= 0.75)[0]] for row in share.cumsum(axis=1)],
        "slope_500_1500": np.polyfit(hz[inside] / 1000, 10 * np.log10(power[:, inside].T), 1)[0],
        "alpha_ratio": energy(1000, 5000) - energy(50, 1000),
        "hammarberg": 10 * np.log10(power[:, :64].max(axis=1) / power[:, 64:160].max(axis=1)),
        "band_250_650": energy(250, 650) - 10 * np.log10(power.sum(axis=1)),
        "flux": [0, *np.linalg.norm(np.diff(np.sqrt(share), axis=0), axis=1)],
    }
    found = _contours.shape(Spectra([y], SR, ["y"]), SHORT)
    for name, contour in expected.items():
        np.testing.assert_allclose(
            found[:, _contours.SHAPE.index(name)], contour, rtol=2e-3, atol=2e-3, err_msg=name
        )


def test_bands_of_the_ear_by_a_short_script():
    y = buzz(140, 0.5, noise=0.05)
    spectra = Spectra([y], SR, ["y"])
    found = _contours.bark_decibels(spectra, SHORT, 26)
    hz = np.arange(257) * SR / 512
    bark = 26.81 * hz / (1960 + hz) - 0.53
    edges = np.linspace(*(26.81 * f / (1960 + f) - 0.53 for f in (20, 8000)), 28)
    power = spectra.power(SHORT)
    for band in (3, 12, 25):
        weights = np.interp(bark, edges[band : band + 3], [0, 1, 0])
        expected = 10 * np.log10(power @ weights)
        expected -= np.percentile(10 * np.log10(power.sum(axis=1)), 95, method="lower")
        np.testing.assert_allclose(found[:, band], expected, atol=0.01)


def test_rasta_forgets_what_stays_the_same():
    """A filter in the recording, or a throat of another length, changes nothing."""
    y = np.concatenate([buzz(140, 0.3), 0.1 * buzz(140, 0.3), buzz(140, 0.3)])
    dull = scipy.signal.lfilter([0.3], [1, -0.7], y).astype(np.float32)
    plain, rasta = (
        np.abs(
            np.diff(
                BarkSpectrum(scale=scale, statistics=("mean", "p80")).transform([y, dull]), axis=0
            )
        )
        for scale in ("decibels", "rasta")
    )
    assert rasta.mean() < plain.mean() / 10


def test_modulation_of_four_syllables_a_second():
    t = np.arange(3 * SR) / SR
    y = buzz(150, 3) * (1.1 + np.sin(2 * np.pi * 5 * t)).astype(np.float32)
    found = values(ModulationSpectrum(), y)
    in_band = {name: value for name, value in found.items() if name.endswith("_1")}
    assert max(in_band, key=in_band.get) == "modulation_4_6_1"
    assert values(Rhythm(), y)["syllable_rate"] == pytest.approx(5, abs=0.7)


def test_pauses():
    silence = np.zeros(SR // 4, np.float32)
    y = np.concatenate([buzz(150, 0.5), silence, buzz(150, 0.5), silence, buzz(150, 0.5)])
    found = values(Rhythm(), y)
    assert found["voiced_rate"] == pytest.approx(3 / 2, rel=0.05)
    assert found["pause_seconds_mean"] == pytest.approx(0.25, abs=0.06)
    assert found["voiced_seconds_max"] == pytest.approx(0.5, abs=0.06)


def test_correlations_are_numpys():
    y = buzz(150 + 40 * np.sin(np.arange(2 * SR) / 3000), 2, noise=0.05)
    transformer = VoiceCorrelations(n_cepstra=2)
    found = values(transformer, y)
    spectra = Spectra([y], SR, ["y"])
    voiced = _pitch.track(spectra, 256).voiced
    quality = _contours.voice(spectra, SHORT)[voiced]
    shape = _contours.shape(spectra, SHORT)[voiced]
    expected = np.corrcoef(quality[:, 0], shape[:, 0])[0, 1]
    assert np.tanh(found["hnr_centroid_correlation"]) == pytest.approx(expected, abs=1e-3)


def test_formants_of_a_vowel():
    y = buzz(100, 1, noise=0, harmonics=80)
    for hz, width in [(700, 90), (1200, 100), (2600, 150), (3500, 200), (4700, 300)]:
        radius, turn = np.exp(-np.pi * width / SR), 2 * np.pi * hz / SR
        y = scipy.signal.lfilter([1], [1, -2 * radius * np.cos(turn), radius**2], y)
    found = values(Formants(statistics=("median",)), (y / np.abs(y).max()).astype(np.float32))
    for name, hz in [("f1", 700), ("f2", 1200), ("f3", 2600)]:
        assert found[f"{name}_voiced_median"] == pytest.approx(hz, rel=0.08), name


@pytest.mark.parametrize("jitter", [0.01, 0.03])
def test_jitter_and_shimmer_of_cycles_that_are_known(jitter):
    rng = np.random.default_rng(0)
    steps, heights = [], []
    for period in 0.008 * (1 + jitter * rng.uniform(-1, 1, size=200)):
        t = np.arange(round(period * 16 * SR)) / (16 * SR)
        height = 1 + 0.1 * rng.uniform(-1, 1)
        steps.append(height * np.exp(-t / 0.002) * np.cos(2 * np.pi * 500 * t))
        heights.append(height)
    lengths = np.array([len(step) for step in steps])
    y = 0.3 * scipy.signal.resample_poly(np.concatenate(steps), 1, 16)
    found = values(Perturbation(), y.astype(np.float32))
    expected = np.abs(np.diff(lengths)).mean() / lengths.mean()
    assert found["jitter_local"] == pytest.approx(expected, rel=0.15)
    decibels = np.abs(20 * np.diff(np.log10(heights))).mean()
    assert found["shimmer_local_db"] == pytest.approx(decibels, rel=0.3)


# The set by name


def test_functionals_by_name():
    pipe = make_pipeline("logreg", "functionals")
    assert pipe.named_steps["audio"].sr == 16000
    names = pipe.named_steps["features"].get_feature_names_out()
    assert len(set(names)) == len(names) > 1000
    clips = [buzz(p, 0.4, seed=p) for p in (100, 120, 240, 260)]
    pipe.fit(clips, ["low", "low", "high", "high"])
    assert pipe.predict([buzz(110, 0.4)]).tolist() == ["low"]


def test_functionals_join_other_features_and_other_rates():
    union = make_pipeline("svm", "functionals,mfcc").named_steps["features"]
    assert {t.sr for _, t in union.transformer_list} == {16000}
    assert make_pipeline("svm", "functionals", sr=22050).named_steps["audio"].sr == 22050
    assert make_pipeline("svm").named_steps["audio"].sr == 22050
    union = make_pipeline("svm", "functionals", sr=22050).named_steps["features"]
    assert np.isfinite(union.transform([buzz(150, 0.4)])).all()
    with pytest.raises(OptionError, match="did you mean functionals"):
        make_pipeline("svm", "functional")


def test_functionals_through_cache_and_threads(tmp_path):
    clips = [buzz(100 + 5 * i, 0.3) for i in range(40)]
    union = make_pipeline("svm", "functionals").named_steps["features"]
    plain = union.transform(clips)
    kept = AudioFeatureUnion(union.transformer_list, n_jobs=2, cache_dir=tmp_path)
    np.testing.assert_array_equal(kept.transform(clips), plain)
    np.testing.assert_array_equal(kept.transform(clips), plain)


# Against Praat, on real speech


@pytest.mark.real
@pytest.mark.parametrize(("corpus", "every"), [("tess", 140), ("emodb", 25)])
def test_pitch_harmonicity_and_formants_are_praats(corpus, every):
    parselmouth = pytest.importorskip("parselmouth")
    apart, agree, ratios, formants = [], [], [], []
    for path in sorted(real_corpus(corpus).rglob("*.wav"))[::every]:
        y = load_audio(path, sr=SR)
        spectra = Spectra([y], SR, [str(path)])
        ours = _pitch.track(spectra, 256)
        sound = parselmouth.Sound(y.astype(float), SR)
        praat = sound.to_pitch(time_step=0.016, pitch_floor=60, pitch_ceiling=600)
        theirs = np.array([praat.get_value_at_time(0.016 * i) for i in range(len(ours.voiced))])
        both = ~np.isnan(theirs) & ours.voiced
        apart.append(ours.semitones[both] - 12 * np.log2(theirs[both] / 27.5))
        agree.append(np.isnan(theirs) != ours.voiced)
        harmonicity = sound.to_harmonicity_cc(time_step=0.016, minimum_pitch=60)
        frames = np.flatnonzero(both)
        hnr = np.array([harmonicity.get_value(0.016 * i) for i in frames])
        heard = np.isfinite(hnr) & (hnr > -20)
        quality = _contours.voice(spectra, SHORT)[frames, 0]
        ratios.append([np.median(hnr[heard]), np.median(quality[heard])])
        burg = sound.to_formant_burg(time_step=0.016, maximum_formant=5500)
        at = 0.016 * frames
        formants.append(
            np.concatenate(
                [
                    Formants(statistics=("median",)).transform([y])[0],
                    [np.nanmedian([burg.get_value_at_time(k, t) for t in at]) for k in (1, 2, 3)],
                ]
            )
        )
    semitones = np.abs(np.concatenate(apart))
    assert np.median(semitones) < 0.1
    assert np.mean(semitones > 2) < 0.04
    assert np.mean(np.concatenate(agree)) > 0.88
    assert np.corrcoef(np.transpose(ratios))[0, 1] > 0.7
    for ours, theirs in zip(np.transpose(formants)[:3], np.transpose(formants)[3:], strict=True):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.8
        assert np.median(np.abs(ours / theirs - 1)) < 0.06


@pytest.mark.real
def test_jitter_and_shimmer_are_praats():
    parselmouth = pytest.importorskip("parselmouth")
    call = parselmouth.praat.call
    found = {}
    for corpus, every in [("emodb", 20), ("tess", 140)]:
        rows = found[corpus] = []
        for path in sorted(real_corpus(corpus).rglob("*.wav"))[::every]:
            y = load_audio(path, sr=SR)
            sound = parselmouth.Sound(y.astype(float), SR)
            points = call([sound, sound.to_pitch(0.01, 75, 600)], "To PointProcess (cc)")
            limits = (0, 0, 0.0001, 0.02, 1.3)
            rows.append(
                [
                    *Perturbation().transform([y])[0],
                    call(points, "Get jitter (local)", *limits),
                    call([sound, points], "Get shimmer (local_dB)", *limits, 1.6),
                ]
            )
    for rows in (found["emodb"], found["emodb"] + found["tess"]):
        correlation = np.corrcoef(np.transpose(rows))
        assert correlation[0, 2] > 0.8
        assert correlation[1, 3] > 0.8


def test_the_best_candidate_of_a_frame_is_the_last_of_equals():
    rng = np.random.default_rng(0)
    frame = np.sort(rng.integers(0, 40, 200))
    frame = frame[frame != 7]  # a frame without a candidate
    score = rng.integers(0, 4, len(frame)) / 4
    expected = np.full(40, -1)
    for i, (f, value) in enumerate(zip(frame, score, strict=True)):
        if expected[f] < 0 or value >= score[expected[f]]:
            expected[f] = i
    np.testing.assert_array_equal(_pitch._best(frame, score, 40), expected)
    np.testing.assert_array_equal(_pitch._best(frame[:0], score[:0], 3), [-1, -1, -1])
