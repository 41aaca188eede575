"""Two themes, and the colours that lines are painted in with each.

Every pair of text and ground has a contrast of 4.5 or more, which a test computes.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.theme import Theme

__all__ = ["DARK", "LIGHT", "Palette", "palette_of", "themes"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they say."""

    text: str
    dim: str
    run: str
    good: str
    bad: str
    warn: str
    accent: str
    ground: str
    surface: str
    """The ground of headings, tabs and the footer."""
    panel: str
    """The ground of the first line and of dialogs."""
    cursor: str
    """The ground of the cursor's line."""
    cursor_away: str
    """The same while the keys go elsewhere."""
    marked: str
    banner: str
    track: str
    """What leads the eye along a line; it says nothing by itself."""

    def of(self, role: str) -> str:
        """The colour for a role: the name of a field."""
        return str(getattr(self, role))


DARK = Palette(
    text="#dce2ea",
    dim="#94a0b0",
    run="#6cb6f5",
    good="#74d383",
    bad="#ff8080",
    warn="#e8bd6b",
    accent="#cfa0ee",
    ground="#14171c",
    surface="#1b1f26",
    panel="#222831",
    cursor="#223850",
    cursor_away="#242b35",
    marked="#3b3320",
    banner="#5c1f24",
    track="#4a5665",
)
LIGHT = Palette(
    text="#20262d",
    dim="#58616d",
    run="#0a5699",
    good="#176b30",
    bad="#b31f1f",
    warn="#7a4f00",
    accent="#6b35a0",
    ground="#fbfbf8",
    surface="#f2f2ed",
    panel="#e7e7e0",
    cursor="#cbdff4",
    cursor_away="#e6eaef",
    marked="#f6ebc8",
    banner="#f8d5d5",
    track="#b4bac2",
)


def palette_of(dark: bool) -> Palette:
    return DARK if dark else LIGHT


def themes() -> tuple[Theme, Theme]:
    """The themes, dark and light."""
    return _theme("sched-dark", DARK, dark=True), _theme("sched-light", LIGHT, dark=False)


def _theme(name: str, palette: Palette, *, dark: bool) -> Theme:
    return Theme(
        name=name,
        primary=palette.run,
        secondary=palette.accent,
        accent=palette.accent,
        foreground=palette.text,
        background=palette.ground,
        surface=palette.surface,
        panel=palette.panel,
        success=palette.good,
        warning=palette.warn,
        error=palette.bad,
        dark=dark,
        variables={
            "banner": palette.banner,
            "dim": palette.dim,
            "footer-key-foreground": palette.run,
            "footer-description-foreground": palette.dim,
            "footer-background": palette.surface,
            "scrollbar": palette.cursor,
            "scrollbar-hover": palette.run,
            "scrollbar-active": palette.run,
            "scrollbar-background": palette.ground,
            "scrollbar-background-hover": palette.ground,
            "scrollbar-background-active": palette.ground,
            "scrollbar-corner-color": palette.ground,
            "block-cursor-background": palette.cursor,
            "block-cursor-foreground": palette.text,
            "block-cursor-text-style": "none",
            "block-cursor-blurred-background": palette.cursor_away,
            "block-cursor-blurred-foreground": palette.text,
        },
    )
