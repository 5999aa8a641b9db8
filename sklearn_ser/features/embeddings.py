"""`PretrainedEmbedding`: a hidden layer of a pretrained speech model as features.

Neither PyTorch nor transformers is loaded before a clip is computed, and the model itself belongs
to no estimator: it is kept once for the process, so that clones share it and no pickle holds it.
"""

from numbers import Integral
from os import PathLike

import numpy as np

from sklearn_ser._sklearn import validate_params
from sklearn_ser.exceptions import AudioError, OptionError
from sklearn_ser.features import _pretrained
from sklearn_ser.features._pretrained import RATE
from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features.transformers import ClipTransformer, numbered

__all__ = ["PretrainedEmbedding"]


class PretrainedEmbedding(ClipTransformer):
    """A hidden layer of a wav2vec 2.0, HuBERT or WavLM checkpoint, its mean over a clip's time.

    The models are described in [1]_, [2]_ and [3]_. Nothing is learned here: the checkpoint stays
    as it is. Each clip goes through the model by itself, unpadded, in single precision, so that no
    number depends on the clips beside it. Needs `pip install 'sklearn-ser[embeddings]'`.

    Parameters
    ----------
    model : str or Path, default=None
        A folder with `config.json`, `preprocessor_config.json` and weights in the safetensors
        format; or the name of a checkpoint on the Hugging Face Hub, such as "owner/name", which is
        looked up in the local cache. Weights in other formats are refused, since reading them may
        run code, and so is code that comes with a checkpoint.
    sr : int, default=16000
        Sampling rate of the clips, in Hz. All these models hear 16000 Hz and nothing else.
    layer : int or None, default=-1
        Which hidden states: 0 is what the transformer layers start from, 1 the first layer's
        output, -1 the last one's. `None` is the mean of all layers' outputs, 0 left out.
    download : bool, default=False
        Download a checkpoint that is given by name and not in the local cache.

    References
    ----------
    .. [1] Baevski, A. et al. "wav2vec 2.0: a framework for self-supervised learning of speech
       representations", NeurIPS, 2020.
    .. [2] Hsu, W.-N. et al. "HuBERT: self-supervised speech representation learning by masked
       prediction of hidden units", IEEE/ACM TASLP 29, 2021.
    .. [3] Chen, S. et al. "WavLM: large-scale self-supervised pre-training for full stack speech
       processing", IEEE JSTSP 16(6), 2022.

    Examples
    --------
    >>> from sklearn_ser import PretrainedEmbedding, make_pipeline
    >>> embedding = PretrainedEmbedding("checkpoints/wavlm-base", layer=6)
    >>> make_pipeline("logreg", embedding).named_steps["audio"].sr
    16000
    """

    _parameter_constraints: dict = {
        "model": [str, PathLike, None],
        "sr": [Integral],
        "layer": [Integral, None],
        "download": ["boolean"],
    }

    def __init__(self, model=None, *, sr=RATE, layer=-1, download=False):
        self.model = model
        self.sr = sr
        self.layer = layer
        self.download = download

    def compute(self, spectra: Spectra) -> np.ndarray:
        """Return the embedding of each clip, of shape (n_clips, hidden_size), float32.

        Raises
        ------
        AudioError
            If a clip is too short for one frame of the model.
        ModelError
            If the checkpoint is missing or cannot be used.
        OptionError
            If PyTorch or transformers is missing, or the model has no such layer.
        """
        folder = self._folder()
        states = self._states(_pretrained.read_config(folder))
        shortest = _pretrained.shortest_clip(_pretrained.read_config(folder))
        network = _pretrained.load(folder, _pretrained.checksum(folder))
        rows = []
        for y, name in zip(spectra.clips, spectra.names, strict=True):
            if len(y) < shortest:
                raise AudioError(
                    f"{name} has {len(y)} samples, fewer than the {shortest} of one frame of "
                    f"{self.model}: use longer clips."
                )
            rows.append(network.embed(y, states))
        return np.stack(rows)

    def content(self) -> bytes:
        """Return a checksum of the checkpoint, and the versions of what runs it."""
        return f"{self.checksum()} {_pretrained.versions()}".encode()

    def checksum(self) -> str:
        """Return the SHA-256 of the checkpoint's settings and weights.

        Raises
        ------
        ModelError
            If the checkpoint is missing or not whole.
        """
        return _pretrained.checksum(self._folder())

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names embedding_0, embedding_1, and so on."""
        config = _pretrained.read_config(self._folder())
        return np.array(numbered("embedding", config["hidden_size"]), dtype=object)

    def check_settings(self) -> None:
        """Raise `ValueError` for a missing model, another rate or parameters of a wrong type."""
        validate_params(self)
        if self.model is None:
            raise OptionError(
                "PretrainedEmbedding needs a model, the folder or name of a checkpoint: give "
                "`model`, of a pipeline `features__embedding__model=FOLDER`."
            )
        if self.sr != RATE:
            raise OptionError(
                f"PretrainedEmbedding has sr={self.sr}, and its models hear {RATE} Hz only: "
                f"set sr={RATE} for loader and features, as make_pipeline does by itself."
            )

    def stft(self) -> STFT:
        """Return the setting of the spectrum that a clip's quality is measured on."""
        return STFT(512, 256, 512, "hann", True, "constant")

    def _folder(self):
        self.check_settings_once()
        return _pretrained.find(self.model, self.download)

    def _states(self, config: dict) -> range:
        """Return which hidden states to average."""
        n_layers = config["num_hidden_layers"]
        if self.layer is None:
            return range(1, n_layers + 1)
        if not -n_layers - 1 <= self.layer <= n_layers:
            raise OptionError(
                f"PretrainedEmbedding has layer={self.layer}, and {self.model} has {n_layers} "
                f"layers: give 0 to {n_layers}, or -1 to {-n_layers - 1} from the last."
            )
        layer = self.layer % (n_layers + 1)
        return range(layer, layer + 1)
