"""A user of the official Python SDK against a mirrored 1Password account: reads an item by the upstream's id and by its
title, makes one, and prints its id. Run by tests/tests/bridge_end_to_end.rs with the vault's id, the item's, its title
and its password as arguments; OP_CONNECT_HOST and OP_CONNECT_TOKEN are the SDK's own.
"""

import sys

from onepasswordconnectsdk.client import new_client_from_environment
from onepasswordconnectsdk.models import Field, Item, ItemVault

VAULT, ITEM, TITLE, PASSWORD = sys.argv[1:]


def holds(condition, what):
    if not condition:
        sys.exit(f"{what} is not as it should be")


client = new_client_from_environment()
holds([vault.id for vault in client.get_vaults()] == [VAULT], "the only vault")
by_id = client.get_item(ITEM, VAULT)
holds(by_id.title == TITLE, "the title")
holds(next(field.value for field in by_id.fields if field.id == "password") == PASSWORD, "the password")
holds(client.get_item(TITLE, VAULT).id == ITEM, "the id")
made = client.create_item(
    VAULT,
    Item(
        title="made by Python",
        category="LOGIN",
        vault=ItemVault(id=VAULT),
        fields=[Field(purpose="USERNAME", value="wendy"), Field(purpose="PASSWORD", generate=True)],
    ),
)
holds(client.get_item(made.id, VAULT).title == "made by Python", "what was made")
print(made.id)
