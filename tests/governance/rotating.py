"""Changing a key of the hub as `tocsin-hub hub-key rotate` does, and the hub started again behind it."""

from tests.support.hub import Hub
from tocsin import keys
from tocsin.config import Settings
from tocsin.governance.service.hub_keys import Rotation, rotate
from tocsin.keys import HubKeys
from tocsin_schemas.hub_acts import HubSigning
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import HubKeyName

OVERLAP = 7 * DAY


def own_rsa(settings: Settings) -> Settings:
    """The same without the RSA key that tests share: it cannot be changed, since it is given."""
    return settings.model_copy(update={"ssf_rs_key_file": None})


def record(hub: Hub, name: HubKeyName) -> Rotation:
    """The first half: the new key is made and its change recorded; the old one is still where it was."""
    going: HubSigning = getattr(keys.load(hub.settings), name)
    coming = keys.coming(hub.settings, name)
    return rotate(hub.app.state.board, hub.database, name, going, coming, OVERLAP)


def change(hub: Hub, name: HubKeyName, settings: Settings) -> tuple[Rotation, HubKeys]:
    """All of it; also the keys that were in hand before."""
    before = keys.load(settings)
    done = record(hub, name)
    keys.adopt(settings, name)
    return done, before
