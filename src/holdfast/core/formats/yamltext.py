"""YAML of strangers, looked at token by token before anything is built: a text can be made to parse slowly."""

from __future__ import annotations

from typing import Final

import yaml

from holdfast.core.formats.buffers import Fault

MAX_LEVELS: Final = 64
"""Each level makes every token within it slower."""
MAX_NUMBER: Final = 1_000
"""Letters of a plain text that YAML may take for a number or a date; those of base 60 multiply without end."""
_SCANNER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENS: Final = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSES: Final = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def survey(text: str, most: int, *, aliases: bool = False) -> None:
    """Let through what is plain and of at most `most` tokens. Raises Fault: budget, malformed, or expansion."""
    levels = 0
    try:
        for count, token in enumerate(yaml.scan(text, _SCANNER)):
            levels += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
            if count > most or levels > MAX_LEVELS:
                raise Fault("budget", f"YAML of more than {most:,} tokens or {MAX_LEVELS} levels", 0)
            if isinstance(token, yaml.ScalarToken):
                _scalar(token)
            elif isinstance(token, yaml.AliasToken | yaml.AnchorToken) and not aliases:
                raise Fault("expansion", "aliases, which may unfold without end", 0)
    except yaml.YAMLError as fault:
        raise Fault("malformed", f"no plain YAML: {str(fault).splitlines()[0][:100]}", 0) from None


def _scalar(token: yaml.ScalarToken) -> None:
    if not token.plain:
        return
    if token.value == "<<":
        raise Fault("expansion", "merged mappings, which may unfold without end", 0)
    if len(token.value) > MAX_NUMBER and token.value[0] in "0123456789+-.":
        raise Fault("malformed", f"a number of {len(token.value):,} letters", 0)
