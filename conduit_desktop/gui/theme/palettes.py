"""The colours of the app: the same tokens in a light and a dark palette, and the series of the charts."""

from __future__ import annotations

from collections.abc import Mapping

Palette = Mapping[str, str]

LIGHT: Palette = {
    "window": "#f6f6f7",  # behind everything; the side navigation
    "surface": "#fcfcfd",  # the page
    "raised": "#ffffff",  # cards, menus, dialogs, inputs
    "sunken": "#f1f1f3",  # table headers, code, tracks
    "border": "#e7e7ea",
    "border_strong": "#d6d6db",
    "hover": "#efeff1",
    "pressed": "#e6e6e9",
    "selected": "#ececfd",
    "text": "#1b1b1f",
    "text_muted": "#55555e",
    "text_faint": "#6b6b75",
    "accent": "#5558e3",
    "accent_hover": "#484bd3",
    "accent_pressed": "#3e41bf",
    "accent_text": "#4a4dd6",
    "accent_tint": "#eeeefd",
    "on_accent": "#ffffff",
    "success": "#157a39",
    "success_tint": "#e6f5ec",
    "warning": "#a45806",
    "warning_tint": "#fdf2e0",
    "danger": "#cc2f3c",
    "danger_tint": "#fdecec",
    "info": "#2468c2",
    "info_tint": "#e8f1fc",
    "shadow": "#22000000",
}

DARK: Palette = {
    "window": "#111113",
    "surface": "#161618",
    "raised": "#1c1c1f",
    "sunken": "#121214",
    "border": "#29292e",
    "border_strong": "#3a3a41",
    "hover": "#222226",
    "pressed": "#2a2a2f",
    "selected": "#26264a",
    "text": "#ededf0",
    "text_muted": "#adadb6",
    "text_faint": "#86868f",
    "accent": "#6366ee",
    "accent_hover": "#7578f5",
    "accent_pressed": "#5558e0",
    "accent_text": "#9ea1ff",
    "accent_tint": "#23233f",
    "on_accent": "#ffffff",
    "success": "#4cc38a",
    "success_tint": "#14291f",
    "warning": "#f0a94a",
    "warning_tint": "#2f2414",
    "danger": "#f2727b",
    "danger_tint": "#351a1d",
    "info": "#6cb0f5",
    "info_tint": "#16263a",
    "shadow": "#88000000",
}

SERIES_LIGHT = ("#5558e3", "#12a594", "#e5861a", "#d6409f", "#3e8fe0", "#8d9b1b", "#8e4ec6", "#8b8d98")
SERIES_DARK = ("#7c7fff", "#2cc5b3", "#f5a95b", "#ec5db4", "#62aef5", "#b4c443", "#b282e0", "#80828d")
