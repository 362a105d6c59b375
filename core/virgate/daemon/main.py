"""The command line of `virgated`. Exit codes: 0 stopped, 1 could not run, 2 wrong settings or arguments."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import virgate
from virgate import hookspecs
from virgate.config import Settings, SettingsError, load, places
from virgate.config.daemon import DaemonSettings
from virgate.config.trust import distrusted
from virgate.daemon.lock import AlreadyRunning, InstanceLock
from virgate.daemon.logs import Logs
from virgate.daemon.service import Daemon
from virgate.plugins import Hooks, PluginRequired, PluginSettings, Registry


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        settings = load(asked.config or _usual_file(), asked.set)
        logs = Logs(*_log_settings(settings))
        registry = _plugins(settings)
        settings.check()
        if asked.dump_config:
            from virgate.config.sample import sample

            print(sample(settings))
            return 0
        registry.check_required()
        return _run(settings, registry, logs, asked)
    except SettingsError as error:
        print(f"virgated: {error}", file=sys.stderr)
        return 2
    except (AlreadyRunning, PluginRequired, OSError) as error:
        print(f"virgated: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("virgated", description="Runs virtual machines; every choice is a plugin.")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings (TOML); conf.d/*.toml beside it are read too"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="one setting, may be repeated"
    )
    parser.add_argument(
        "--dump-config", action="store_true", help="print every setting with its sentence, value and origin"
    )
    parser.add_argument("--version", action="version", version=f"virgated {virgate.__version__}")
    return parser


def _usual_file() -> Path | None:
    usual = places.configuration() / "virgate.toml"
    return usual if usual.exists() else None


def _log_settings(settings: Settings) -> tuple[str, str, str]:
    daemon = settings[DaemonSettings]
    return daemon.log_file, daemon.log_format, daemon.log_level


def _plugins(settings: Settings) -> Registry:
    """Loads the plugins: they may declare settings of their own, so this comes before the settings are checked."""
    registry = Registry(Hooks(*hookspecs.modules()), settings[PluginSettings])
    registry.load_installed()
    registry.load_folders()
    return registry


def _run(settings: Settings, registry: Registry, logs: Logs, asked: argparse.Namespace) -> int:
    daemon_settings = settings[DaemonSettings]
    if "engine" in daemon_settings.roles:
        print("virgated: the engine role is not built yet", file=sys.stderr)
        if "node" not in daemon_settings.roles:
            return 1
    for folder, mode in ((daemon_settings.state_dir, 0o755), (daemon_settings.run_dir, 0o755)):
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        if reason := distrusted(folder):
            raise PermissionError(f"{folder} {reason}")
    lock = InstanceLock(daemon_settings.state_dir)
    lock.take()
    logs.begin()
    try:
        return Daemon(settings, registry, logs, lambda: load(asked.config or _usual_file(), asked.set)).run()
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main())
