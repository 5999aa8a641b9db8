"""Schemas of the API's responses, for its documentation; a test compares them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Channels", "Example", "Health", "ModelCard", "Prediction", "Recording", "Refusal"]

PROBABILITIES = {"angry": 0.03, "happy": 0.07, "neutral": 0.88, "sad": 0.02}


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Prediction(_Schema):
    """The prediction of one clip."""

    seconds: float = Field(description="Length of the audio.", examples=[2.1])
    emotion: str = Field(
        description="The most probable emotion; `silence` without speech, `unsure` below the "
        "confidence that the server asks for.",
        examples=["neutral"],
    )
    confidence: float | None = Field(
        description="Its probability; null for silence.", examples=[0.88]
    )
    probabilities: dict[str, float | None] = Field(
        description="The probability of each emotion.", examples=[PROBABILITIES]
    )
    warning: str | None = Field(
        description="How the clip differs from those the model was trained with.", examples=[None]
    )


class Window(_Schema):
    """The prediction of one window of a recording."""

    start: float = Field(description="Seconds.", examples=[0.5])
    end: float = Field(description="Seconds.", examples=[2.5])
    emotion: str | None = Field(description="The most probable emotion.", examples=["neutral"])
    confidence: float | None = Field(description="Its probability.", examples=[0.88])
    probabilities: dict[str, float | None] = Field(
        description="The probability of each emotion.", examples=[PROBABILITIES]
    )
    speech: bool = Field(description="Whether there is speech in it.", examples=[True])
    smoothed: str | None = Field(
        description="The emotion of the mean probabilities of the last windows with speech, or "
        "`silence`.",
        examples=["neutral"],
    )
    smoothed_probabilities: dict[str, float | None] = Field(
        description="These mean probabilities.", examples=[PROBABILITIES]
    )
    smoothed_confidence: float | None = Field(description="The greatest of them.", examples=[0.86])
    warning: str | None = Field(description="As for a clip.", examples=[None])
    error: str | None = Field(description="Why there is no prediction.", examples=[None])


class Segment(_Schema):
    """Neighbouring windows of one emotion."""

    start: float = Field(description="Seconds.", examples=[0.0])
    end: float = Field(description="Seconds.", examples=[4.5])
    emotion: str | None = Field(description="The emotion, or `silence`.", examples=["neutral"])
    confidence: float | None = Field(description="Its mean probability.", examples=[0.81])
    probabilities: dict[str, float | None] = Field(
        description="The mean probability of each emotion.", examples=[PROBABILITIES]
    )
    warning: str | None = Field(description="As for a clip.", examples=[None])
    error: str | None = Field(description="Why there is no prediction.", examples=[None])


class Recording(Prediction):
    """Emotion over time, where `window` is given; and of the mean of the windows with speech."""

    windows: list[Window]
    segments: list[Segment]


class Channels(_Schema):
    """Each channel by itself, where `channels` is `split`."""

    seconds: float = Field(description="The length of the audio.", examples=[4.5])
    channels: list[Prediction | Recording] = Field(description="From the first channel on.")


class Health(_Schema):
    """Whether uploads can be answered."""

    status: str = Field(description="`ok`, or what is wrong (status 503).", examples=["ok"])
    version: str = Field(description="Of sklearn-ser.", examples=["0.1.0"])
    workers: int = Field(description="Processes that are ready.", examples=[2])
    model: str = Field(
        description="Whether the model's file still is what is served: `as loaded`, `changed` or "
        "`missing`.",
        examples=["as loaded"],
    )
    authorized: bool = Field(
        description="Whether this request brought the token, or none is needed.", examples=[True]
    )
    max_megabytes: float = Field(description="Largest upload.", examples=[20.0])
    max_seconds: float = Field(description="Longest audio of an upload.", examples=[600.0])
    other_formats: bool = Field(
        description="Whether files other than wav, flac, ogg, mp3 and aiff are decoded.",
        examples=[False],
    )


class Example(_Schema):
    """A clip to try."""

    place: int = Field(description="Its audio is at /examples/ and this.", examples=[1])
    emotion: str = Field(description="As its corpus has it.", examples=["angry"])
    unseen: bool = Field(description="Whether the model was fitted without it.", examples=[True])
    suffix: str = Field(description="Of its file.", examples=[".wav"])


class Refusal(_Schema):
    """Why a request was refused."""

    detail: str = Field(examples=["the file is not audio that can be decoded: convert it to wav."])


class ModelCard(BaseModel):
    """What the model is; a card may say more than this."""

    model_config = ConfigDict(extra="allow")

    classes: list[str] = Field(description="The emotions it knows.", examples=[list(PROBABILITIES)])
    classifier: str = Field(description="With its parameters.", examples=["SVMClassifier(C=10)"])
    features: list[str] = Field(
        description="What is computed of a clip.", examples=[["MFCC()", "Chroma()"]]
    )
    sampling_rate: int = Field(description="To which audio is resampled, in Hz.", examples=[22050])
    sha256: str = Field(
        description="Checksum of the model file.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    about: str | None = Field(
        None, description="What to know before using it.", examples=["Fitted on ten actors."]
    )
    data: dict[str, Any] | None = Field(
        None, description="The clips it was fitted on.",
        examples=[{"name": "emodb", "n_clips": 505}],
    )  # fmt: skip
    split: dict[str, Any] | None = Field(
        None, description="How the test set was chosen.",
        examples=[{"kind": "speaker", "n_test": 102}],
    )  # fmt: skip
    scores: dict[str, Any] | None = Field(
        None, description="Of the test set.", examples=[{"accuracy": 0.71, "uar": 0.69}]
    )
