"""The help of a command: its options in panels."""

import typer.core

PANELS = {
    "Data": (
        *("data", "emotions", "map", "features", "noise", "on_error", "channels"),
        *("source", "rate", "encoding", "device", "window", "hop", "formats"),
    ),
    "Model": (
        *("clf", "param", "calibrate", "augment", "adapt", "refit", "seed"),
        *("strategy", "candidates", "trust", "abstain_below", "smooth", "silence_db", "vad"),
    ),
    "Testing": (
        *("split", "cv", "folds", "folds_from", "nested", "test_size", "validation_size", "stress"),
        *("target", "seeds"),
    ),
    "Output": (
        *("out", "csv", "jsonl", "json", "segments", "figure", "plots", "html", "open_page", "to"),
        *("save", "report_audio", "no_audio", "format", "width", "font"),
    ),
}
OTHERS = "Running"  # how and where the work is done
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}


def panel_of(name: str) -> str:
    """Return the panel of an option, by the name of its argument.

    Examples
    --------
    >>> from sklearn_ser.cli._help import panel_of
    >>> panel_of("test_size"), panel_of("n_jobs")
    ('Testing', 'Running')
    """
    return _PANEL_OF.get(name, OTHERS)


class PanelCommand(typer.core.TyperCommand):
    """A command whose help lists its options in panels, one after another.

    Rich would draw boxes around them, in which long words are cut.
    """

    def format_options(self, ctx, formatter) -> None:
        """Write the panels; a command of few options has them in one."""
        panels: dict[str, list] = {"Arguments": [], **{panel: [] for panel in PANELS}, OTHERS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                panels["Arguments" if argument else panel_of(parameter.name or "")].append(record)
        if sum(map(len, panels.values())) - len(panels["Arguments"]) < 6:
            options = [record for panel in list(panels)[1:] for record in panels[panel]]
            panels = {"Arguments": panels["Arguments"], "Options": options}
        for panel, records in panels.items():
            if records:
                with formatter.section(panel):
                    formatter.write_dl(records)
