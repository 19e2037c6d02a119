"""Reads one item with the official Python SDK, then again and again until it is refused.

Run by tests/tests/story.rs: `watch.py VAULT ITEM`, server and token in the environment as the SDK wants them. Prints the
title, then `refused` as soon as it is.
"""

import sys
import time

from onepasswordconnectsdk.client import FailedToRetrieveItemException, new_client_from_environment

vault, item = sys.argv[1:]
client = new_client_from_environment()
print(client.get_item_by_id(item, vault).title, flush=True)
while True:
    try:
        client.get_item_by_id(item, vault)
    except FailedToRetrieveItemException as refusal:
        print("refused" if "401" in str(refusal) else refusal, flush=True)
        break
    time.sleep(0.01)
