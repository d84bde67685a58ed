"""The list of names that ships with this version, by its digest. Written by the generator."""

from typing import Final

VERSION: Final = "sha256:24705fbf76304b7def9355ae32d1d1bd16642f0f0dbb5d7bee8d977f0b36ecfd"
