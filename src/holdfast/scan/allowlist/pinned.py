"""The list of names that ships with this version, by its digest. Written by the generator."""

from typing import Final

VERSION: Final = "sha256:3824b5679542d0eb226e2b770677103240605aa46d9cd0118470540f5f1bc822"
