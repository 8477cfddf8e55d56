"""Plugins: entry points of the group `bellwire`.

Those of this distribution are enabled by themselves, others by the setting `plugins`; nothing else is imported. There is no
manager to be found lying about: `load_plugins` is called at start, and what it returns is handed on.
"""

from bellwire.plugins.facade import PluginInfo, Plugins, PluginState
from bellwire.plugins.loader import load_plugins

__all__ = ["PluginInfo", "PluginState", "Plugins", "load_plugins"]
