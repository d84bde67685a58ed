"""The list of names that ships with this version, by its digest. Written by the generator."""

from typing import Final

VERSION: Final = "sha256:0fbdd6aa58df177f1aa6be234e26ca5aa5f6ce6e43ce989aa80b2e041e296865"
