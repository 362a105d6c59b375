"""Plugins: `hooks.py` awaits implementations one by one, `registry.py` finds, loads and unloads them.

A plugin is a module (or any object) with functions marked `@virgate.hookimpl`. Built-in and third-party plugins come
through the entry-point group `virgate.plugins`, an administrator's own through a folder (`plugins.d/*.py`).
"""

from virgate.plugins.hooks import Hooks
from virgate.plugins.registry import Plugin, PluginRequired, PluginSettings, Registry, State

__all__ = ["Hooks", "Plugin", "PluginRequired", "PluginSettings", "Registry", "State"]
