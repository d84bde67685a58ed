"""The list of names that ships with this version, by its digest. Written by the generator."""

from typing import Final

VERSION: Final = "sha256:852a2220c932b17c0347db2f2bb8b74bb8d4662a63a37a7e98855c4e65ea1e64"
