"""The entry point: finds the verb, runs it, and turns whatever happens into words and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from holdfast.cli.faults import report_fault
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import LazyGroup, terminal_options, version_option
from holdfast.core.errors import EXIT_PASSED

VERBS = {
    "estate": ("holdfast.cli.estate", "Describe models: write, list and register holdfast.yaml."),
    "scan": ("holdfast.cli.scan", "Say what model files contain, without loading them."),
    "audit": ("holdfast.cli.audit", "Run the checks whose results are missing."),
    "intel": ("holdfast.cli.intel", "Feeds of threat intelligence: import, see what follows, decide."),
    "seal": ("holdfast.cli.seal", "Put data sets under seal, sign the files of models, and see what changed."),
    "gate": ("holdfast.cli.gate", "Decide whether models may be deployed; sign and verify the verdict."),
    "harden": ("holdfast.cli.harden", "Train a model again so that it resists evasion."),
    "backlog": ("holdfast.cli.backlog", "Findings as ranked work: plan it, claim it, prove it, or accept the risk."),
    "comply": ("holdfast.cli.comply", "Hold the record against laws and standards; write packs to verify."),
    "watch": ("holdfast.cli.watch", "Models at work: take events in, read them back, see gaps and alerts."),
    "respond": ("holdfast.cli.respond", "What is done about alerts, who is told, and what people decide about it."),
    "serve": ("holdfast.cli.serve", "Run the console, the API and the loop; say who may come in."),
    "ledger": ("holdfast.cli.ledger", "Verify, export and read the record of what happened."),
    "config": ("holdfast.cli.config", "Show the settings in force and where each comes from."),
    "doctor": ("holdfast.cli.doctor", "Say what is missing here, and the command that repairs it."),
    "explain": ("holdfast.cli.explain", "Explain an error code, a check or a rule."),
    "demo": ("holdfast.cli.demo", "Simulate a small bank and run the main job on it."),
    "completion": ("holdfast.cli.completion", "Print the completion script of a shell."),
    "version": ("holdfast.cli.version", "Print the version."),
}

EPILOG = """\b
Exit codes: 0 passed, 1 findings, 2 usage or configuration, 3 could not decide,
4 not allowed, 130 interrupted. Every option is also an environment variable,
HOLDFAST_<OPTION>. `holdfast COMMAND --help` has examples.
"""

cli = LazyGroup(
    name="holdfast",
    verbs=VERBS,
    help="Keep AI models secure while both the models and the threats keep changing.",
    epilog=EPILOG,
    params=[*terminal_options(), version_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code. Nothing escapes but SystemExit from a completion script."""
    terminal = Terminal()
    try:
        code = cli.main(list(args), prog_name="holdfast", standalone_mode=False, obj=terminal)
        return code if isinstance(code, int) else EXIT_PASSED
    except (Exception, KeyboardInterrupt) as fault:
        return report_fault(fault, terminal)
    finally:
        terminal.flush()


def main() -> None:
    """The `holdfast` command."""
    sys.exit(run(sys.argv[1:]))
