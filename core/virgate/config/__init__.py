"""Settings: a section is a class in the room that uses it, an option carries type, default and a sentence.

    @section("hooks")
    class HookSettings:
        "Drop-in scripts."
        timeout: float = option(60.0, "Seconds after which a script is killed; 0 waits forever.", ge(0))

The loader (`loading.py`) fills the sections from a TOML file, `conf.d/*.toml` beside it and `--set section.key=value`,
and keeps where each value came from. Read them once: `settings[HookSettings].timeout`.
"""

from virgate.config.declaring import option, section, sections
from virgate.config.loading import Settings, SettingsError, load

__all__ = ["Settings", "SettingsError", "load", "option", "section", "sections"]
