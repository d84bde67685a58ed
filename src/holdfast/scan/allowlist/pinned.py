"""The list of names that ships with this version, by its digest. Written by the generator."""

from typing import Final

VERSION: Final = "sha256:0aad27feabea0387aaec97b74572268446fbe725ae032d192d12f1528d383508"
