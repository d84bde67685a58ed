"""The gate: verdicts in front of CI and deployment, what it compares with, and the signed proof it leaves."""

from holdfast.gate.baseline import BaselineFile
from holdfast.gate.decide import Decision, decide
from holdfast.gate.summary import Attested, summarize, verify_summary
from holdfast.gate.verification import Verification

__all__ = ["Attested", "BaselineFile", "Decision", "Verification", "decide", "summarize", "verify_summary"]
