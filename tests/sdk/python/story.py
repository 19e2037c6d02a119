"""What a user of the official Python SDK does with a Connect server, from listing vaults to being refused.

Run by tests/tests/sdk_python.rs; what to expect is in the JSON file named by SEKISHO_STORY. Sections (§) are those of
the Connect contract.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import struct
import sys
import tempfile
import time
import warnings

import onepasswordconnectsdk
from onepasswordconnectsdk.client import (
    FailedToRetrieveItemException,
    FailedToRetrieveVaultException,
    new_client,
    new_client_from_environment,
)
from onepasswordconnectsdk.models import (
    Field,
    FieldSection,
    GeneratorRecipe,
    Item,
    ItemUrls,
    ItemVault,
    Section,
)

with open(os.environ["SEKISHO_STORY"], encoding="utf-8") as file:
    STORY = json.load(file)
HOST, TOKENS, VAULTS = STORY["host"], STORY["tokens"], STORY["vaults"]
AWKWARD = VAULTS["awkward"]["id"]
ABSENT = "zzzzzzzzzzzzzzzzzzzzzzzzza"


def same(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: found {found!r}, wanted {wanted!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def refused(what, kind, status, text, deed):
    """The SDK raises its own error, which names the status and the server's message."""
    try:
        found = deed()
    except kind as error:
        holds(f"Received {status}" in str(error), f"{what}: no status {status} in {error}")
        holds(text in str(error), f"{what}: no {text!r} in {error}")
        return error
    raise AssertionError(f"{what}: was not refused, gave {found!r}")


def found_n(what, count, deed):
    """Exactly one match is required for a title (§9.3): the SDK says how many there were."""
    try:
        deed()
    except FailedToRetrieveItemException as error:
        holds(f"Found {count} " in str(error), f"{what}: {error}")
        return
    raise AssertionError(f"{what}: was not refused")


def by_label(item, label):
    fields = [field for field in item.fields if field.label == label]
    same(len(fields), 1, f"fields labelled {label!r} in {item.title!r}")
    return fields[0]


def by_purpose(item, purpose):
    fields = [field for field in item.fields if field.purpose == purpose]
    same(len(fields), 1, f"fields with purpose {purpose} in {item.title!r}")
    return fields[0]


def codes(seed):
    """The one-time codes (RFC 6238) of just now, and of the step before and after."""
    key = base64.b32decode(seed)
    for step in (-1, 0, 1):
        digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + step), hashlib.sha1).digest()
        at = digest[-1] & 15
        yield f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"


def vaults(client):
    found = {vault.id: vault for vault in client.get_vaults()}
    granted = {name: vault for name, vault in VAULTS.items() if vault["granted"]}
    same(set(found), {vault["id"] for vault in granted.values()}, "vaults listed")
    for name, wanted in granted.items():
        vault = client.get_vault(wanted["id"])
        same(vault.name, wanted["name"], f"name of vault {name}")
        same(vault.description, wanted["description"] or None, f"description of vault {name}")
        same(vault.items, wanted["items"], f"number of items in vault {name}")
        same(found[wanted["id"]].to_dict(), vault.to_dict(), f"vault {name} in the list and alone")
        if "&" in wanted["name"]:
            # The SDK leaves & as it is, which cuts the filter off; never an unfiltered list (§0.2 no. 2).
            refused("a vault's title with &", FailedToRetrieveVaultException, 400, "Invalid filter",
                    lambda: client.get_vault_by_title(wanted["name"]))
            continue
        same(client.get_vault_by_title(wanted["name"]).id, wanted["id"], f"vault {name} by title")
        same(client.get_vault_by_title(wanted["name"].upper()).id, wanted["id"], f"vault {name} by title, case")


def reading(client):
    wanted = STORY["login"]
    summaries = {item.id: item for item in client.get_items(wanted["vault"])}
    same(len(summaries), VAULTS["personal"]["items"], "items listed; archived ones are not")
    summary = summaries[wanted["id"]]
    same((summary.title, summary.vault.id, summary.category), (wanted["title"], wanted["vault"], "LOGIN"), "summary")
    same(sorted(summary.tags), sorted(wanted["tags"]), "summary's tags")
    found = client.get_items(wanted["vault"], filter_query=f'tag eq "{wanted["tags"][0]}"')
    same([item.id for item in found], [wanted["id"]], "items by tag")

    item = client.get_item_by_id(wanted["id"], wanted["vault"])
    for again in (
        client.get_item(wanted["id"], wanted["vault"]),
        client.get_item(wanted["title"], VAULTS["personal"]["name"]),
        client.get_item_by_title(wanted["title"], wanted["vault"]),
    ):
        # The code of a one-time password depends on the second.
        same(again.id, item.id, "the same item by another way")
        same([field.value for field in again.fields], [field.value for field in item.fields], "values by another way")
    same(by_purpose(item, "USERNAME").value, wanted["username"], "user name")
    password = by_purpose(item, "PASSWORD")
    same((password.value, password.type), (wanted["password"], "CONCEALED"), "password")
    holds(password.entropy > 0, "a password has an entropy (§2.4)")
    same(by_purpose(item, "NOTES").value, wanted["notes"], "notes")
    otp = next(field for field in item.fields if field.type == "OTP")
    same(otp.value, wanted["seed"], "seed")
    holds(otp.totp in codes(wanted["seed"]), f"code {otp.totp} is not of now")
    section = next(section for section in item.sections if section.label == wanted["section"])
    same(otp.section.id, section.id, "section of the one-time password")
    same(by_label(item, "first").value, wanted["first"], "a field in a section")
    # The model knows no labels of URLs (§2.9).
    same([(bool(url.primary), url.href) for url in item.urls],
         [(url["primary"], url["href"]) for url in wanted["urls"]], "URLs")
    holds(item.favorite, "favourite")
    holds(item.created_at.tzinfo is not None, "dates have a zone")


def configuration(client):
    wanted = STORY["login"]
    os.environ["OP_VAULT"] = wanted["vault"]
    config = {
        "user": {"opitem": wanted["title"], "opfield": ".username"},
        "first": {"opitem": wanted["title"], "opfield": f"{wanted['section']}.first"},
    }
    loaded = onepasswordconnectsdk.load_dict(client, config)
    same(loaded, {"user": wanted["username"], "first": wanted["first"]}, "load_dict")


def titles(client):
    for title, wanted in STORY["awkward"].items():
        if title in STORY["cut"]:
            # The SDK leaves & and # as they are, which cuts the filter off; never an unfiltered list (§0.2 no. 2).
            refused(f"title {title!r}", FailedToRetrieveItemException, 400, "Invalid filter",
                    lambda: client.get_item_by_title(title, AWKWARD))
        elif title in STORY["malformed"]:
            # A quote is not escaped by any SDK (§1.1).
            refused(f"title {title!r}", FailedToRetrieveItemException, 400, "Invalid filter",
                    lambda: client.get_item_by_title(title, AWKWARD))
        elif title in STORY["lost"]:
            # A percent sign is sent bare: where two hexadecimal digits follow, it begins an escape (§0.2 no. 2).
            found_n(f"title {title!r}", 0, lambda: client.get_item_by_title(title, AWKWARD))
        else:
            same(client.get_item_by_title(title, AWKWARD).id, wanted, f"item {title!r}")
        same(client.get_item_by_id(wanted, AWKWARD).title, title, f"title of {title!r}")
    # A title that looks like an id: tried as one first, then found (§9.3).
    same(client.get_item(STORY["id_like"], AWKWARD).title, STORY["id_like"], "a title like an id")
    found_n("a title twice", 2, lambda: client.get_item_by_title(STORY["twin"], AWKWARD))
    found_n("a title never", 0, lambda: client.get_item_by_title("no such title", AWKWARD))


def files(client):
    for wanted in STORY["files"]:
        item, vault = wanted["item"], wanted["vault"]
        listed = client.get_files(item, vault)
        same([(file.id, file.name, file.size) for file in listed],
             [(wanted["id"], wanted["name"], len(wanted["content"].encode()))], "files listed")
        file = client.get_file(wanted["id"], item, vault)
        same(file.content_path, f"/v1/vaults/{vault}/items/{item}/files/{wanted['id']}/content", "content path")
        content = wanted["content"].encode()
        same(client.get_file_content(file.id, item, vault), content, "content")
        same(client.get_file_content(file.id, item, vault, file.content_path), content, "content by its path")
        # The model has no inlined content: seen on the wire.
        for name in ("inline_files", "inline_content"):
            path = f"/v1/vaults/{vault}/items/{item}/files/{file.id}?{name}=true"
            inlined = client.build_request("GET", path).json()["content"]
            same(base64.b64decode(inlined), content, "content inlined")
        with tempfile.TemporaryDirectory() as folder:
            client.download_file(file.id, item, vault, folder)
            with open(os.path.join(folder, file.name), "rb") as download:
                same(download.read(), content, "content downloaded")
        refused("a file that is not", FailedToRetrieveItemException, 404, f"file {ABSENT} not found",
                lambda: client.get_file(ABSENT, item, vault))
        refused("content that is not", FailedToRetrieveItemException, 404, f"file {ABSENT} not found",
                lambda: client.get_file_content(ABSENT, item, vault))
    refused("files of no item", FailedToRetrieveItemException, 404, f"item {ABSENT} not found",
            lambda: client.get_files(ABSENT, AWKWARD))


def draft(title):
    questions = "95cdbc3b-7742-47ec-9056-44d6af82d562"
    return Item(
        title=title,
        category="LOGIN",
        vault=ItemVault(id=AWKWARD),
        tags=["connect", "team/blue"],
        urls=[ItemUrls(primary=True, href="https://example.com"), ItemUrls(href="https://example.org")],
        sections=[Section(id=questions, label="Security Questions")],
        fields=[
            Field(purpose="USERNAME", value="wendy"),
            Field(purpose="PASSWORD", generate=True,
                  recipe=GeneratorRecipe(length=55, character_sets=["LETTERS", "DIGITS"])),
            Field(purpose="NOTES", value="line one\nZeile zwei: äöü"),
            Field(section=FieldSection(id=questions), type="CONCEALED", generate=True, label="Recovery Key"),
            Field(section=FieldSection(id=questions), type="OTP", label="code", value="JBSWY3DPEHPK3PXP"),
            Field(type="URL", label="Example", value="https://example.com"),
            Field(type="DATE", label="since", value="2026-01-02"),
            Field(type="MONTH_YEAR", label="until", value="2027/03"),
        ],
    )


def created(item, title):
    same((item.title, item.category, item.vault.id), (title, "LOGIN", AWKWARD), "what was created")
    same(sorted(item.tags), ["connect", "team/blue"], "tags")
    same([url.href for url in item.urls], ["https://example.com", "https://example.org"], "URLs")
    same([section.label for section in item.sections], ["Security Questions"], "sections")
    password = by_purpose(item, "PASSWORD")
    same((password.id, password.label, password.type, len(password.value)), ("password", "password", "CONCEALED", 55),
         "password made")
    holds(password.value.isalnum() and any(c.isdigit() for c in password.value)
          and any(c.isalpha() for c in password.value), "each set asked for occurs, no other (§2.4)")
    holds(password.recipe is None, "the recipe is not sent back")
    same(by_purpose(item, "USERNAME").value, "wendy", "user name")
    same(by_purpose(item, "NOTES").value, "line one\nZeile zwei: äöü", "notes")
    recovery = by_label(item, "Recovery Key")
    same((recovery.section.id, len(recovery.value)), ("95cdbc3b-7742-47ec-9056-44d6af82d562", 32), "recovery key")
    holds(by_label(item, "code").totp in codes("JBSWY3DPEHPK3PXP"), "code of a new one-time password")
    same(by_label(item, "since").value, "1767355260", "dates are Unix seconds (§2.4)")
    same(by_label(item, "until").value, "202703", "months are YYYYMM (§2.4)")


def values(item):
    """What must come back however the item is asked for; a code depends on the second."""
    return {field.id: (field.label, field.type, field.purpose, field.value) for field in item.fields}


def writing(client):
    title = "Made by Python äöü"
    made = client.create_item(AWKWARD, draft(title))
    same(made.version, 1, "version of a new item")
    created(made, title)
    item = client.get_item(title, AWKWARD)
    created(item, title)
    same((item.id, item.version, values(item)), (made.id, 1, values(made)), "what is read is what was made")

    item.title = "Changed by Python"
    item.tags.append("changed")
    item.favorite = True
    first = by_purpose(item, "PASSWORD").value
    by_purpose(item, "PASSWORD").value = "correct horse"
    item.fields.append(Field(label="added", type="STRING", value="new"))
    answer = client.update_item(item.id, AWKWARD, item)
    same(by_purpose(answer, "PASSWORD").value, "correct horse", "the answer shows the new content")
    # PUT answers with the old version, the next GET is one ahead: Terraform relies on it (§0.2 no. 8).
    same(answer.version, 1, "version in a PUT's answer")
    item = client.get_item_by_id(made.id, AWKWARD)
    same((item.version, item.title, item.favorite), (2, "Changed by Python", True), "after the update")
    same(sorted(item.tags), ["changed", "connect", "team/blue"], "tags after the update")
    same((by_purpose(item, "PASSWORD").value, by_label(item, "added").value), ("correct horse", "new"), "values")
    before, after = values(made), values(item)
    unchanged = {id for id in before if id != "password"}
    same({id: after[id] for id in unchanged}, {id: before[id] for id in unchanged}, "other fields stay as they were")
    raw = client.build_request("GET", f"/v1/vaults/{AWKWARD}/items/{made.id}").json()
    history = next(field for field in raw["fields"] if field["id"] == "password")["passwordDetails"]["history"]
    same(history, [first], "the old password is in the history")
    found_n("the old title", 0, lambda: client.get_item_by_title(title, AWKWARD))

    item.fields = [field for field in item.fields if field.label != "added"]
    item.urls = []
    same(client.update_item(item.id, AWKWARD, item).version, 2, "version in the second PUT's answer")
    item = client.get_item("Changed by Python", AWKWARD)
    same((item.version, [field for field in item.fields if field.label == "added"], item.urls), (3, [], None),
         "after the second update")

    client.delete_item(made.id, AWKWARD)
    gone = refused("a deleted item", FailedToRetrieveItemException, 404, f"item {made.id} not found",
                   lambda: client.get_item_by_id(made.id, AWKWARD))
    same(gone.status_code, 404, "status_code, which only get_item_by_id sets (§9.3a)")
    refused("a second delete", FailedToRetrieveItemException, 404, "not found",
            lambda: client.delete_item(made.id, AWKWARD))
    refused("an update of nothing", FailedToRetrieveItemException, 404, "not found",
            lambda: client.update_item(made.id, AWKWARD, item))


def files_stay(client):
    """The SDK's model has no files, so a PUT leaves them out: they must not be lost (§1.2)."""
    wanted = STORY["keeper"]
    item = client.get_item_by_id(wanted["item"], wanted["vault"])
    item.tags = ["python"]
    client.update_item(item.id, wanted["vault"], item)
    same(client.get_file_content(wanted["id"], wanted["item"], wanted["vault"]), wanted["content"].encode(),
         "a file's content after a PUT without files")


def refusals(client):
    hidden = VAULTS["hidden"]
    scope = "Authorization: token does not have access to vault"
    refused("a vault out of scope", FailedToRetrieveVaultException, 403, scope, lambda: client.get_vault(hidden["id"]))
    refused("its items", FailedToRetrieveItemException, 403, scope, lambda: client.get_items(hidden["id"]))
    refused("one of them", FailedToRetrieveItemException, 403, scope,
            lambda: client.get_item_by_id(ABSENT, hidden["id"]))
    # A vault's title that is not found is an *item* exception in this SDK (§9.3a).
    found_n("a vault out of scope by title", 0, lambda: client.get_vault_by_title(hidden["name"]))
    refused("a vault that is not", FailedToRetrieveVaultException, 403, scope, lambda: client.get_vault(ABSENT))
    refused("a bad vault id", FailedToRetrieveVaultException, 400, "Invalid Vault UUID",
            lambda: client.get_vault("no-id"))
    refused("a bad item id", FailedToRetrieveItemException, 400, "Invalid Item UUID",
            lambda: client.get_item_by_id("no-id", AWKWARD))
    missing = refused("an item that is not", FailedToRetrieveItemException, 404, f"item {ABSENT} not found",
                      lambda: client.get_item_by_id(ABSENT, AWKWARD))
    same(missing.status_code, 404, "status_code")
    refused("an item without category", FailedToRetrieveItemException, 400, "Invalid item category",
            lambda: client.create_item(AWKWARD, Item(title="x", vault=ItemVault(id=AWKWARD))))
    refused("an item of no category", FailedToRetrieveItemException, 400, "",
            lambda: client.create_item(AWKWARD, Item(title="x", category="CUSTOM")))
    refused("two passwords", FailedToRetrieveItemException, 400, 'You can only use one "password" field',
            lambda: client.create_item(AWKWARD, Item(title="x", category="LOGIN", fields=[
                Field(purpose="PASSWORD", value="a"), Field(purpose="PASSWORD", value="b")])))

    reader = new_client(HOST, TOKENS["reader"])
    item = reader.get_item(next(iter(STORY["awkward"])), AWKWARD)
    denied = "Authorization: token does not have permission to perform {} on vault " + AWKWARD
    refused("create with a reading token", FailedToRetrieveItemException, 403, denied.format("create"),
            lambda: reader.create_item(AWKWARD, draft("not to be")))
    refused("update with a reading token", FailedToRetrieveItemException, 403, denied.format("update"),
            lambda: reader.update_item(item.id, AWKWARD, item))
    refused("delete with a reading token", FailedToRetrieveItemException, 403, denied.format("delete"),
            lambda: reader.delete_item(item.id, AWKWARD))

    main = TOKENS["main"]
    flipped = main[:-40] + ("A" if main[-40] != "A" else "B") + main[-39:]
    for name, token in {"no token at all": "nonsense", "a tampered token": flipped}.items():
        stranger = new_client(HOST, token)
        refused(name, FailedToRetrieveVaultException, 401, "Invalid", stranger.get_vaults)
        refused(name, FailedToRetrieveItemException, 401, "Invalid",
                lambda: stranger.get_item_by_id(item.id, AWKWARD))
        refused(name, FailedToRetrieveItemException, 401, "Invalid",
                lambda: stranger.create_item(AWKWARD, draft("not to be")))


async def asynchronous():
    client = new_client(HOST, TOKENS["main"], True)
    wanted = STORY["login"]
    same(len(await client.get_vaults()), sum(vault["granted"] for vault in VAULTS.values()), "vaults, async")
    item = await client.get_item(wanted["title"], wanted["vault"])
    same(by_purpose(item, "PASSWORD").value, wanted["password"], "password, async")
    made = await client.create_item(AWKWARD, draft("Made asynchronously"))
    await client.delete_item(made.id, AWKWARD)
    try:
        await client.get_item_by_id(made.id, AWKWARD)
    except FailedToRetrieveItemException as error:
        holds("Received 404" in str(error), f"async: {error}")
    else:
        raise AssertionError("async: a deleted item was served")
    await client.session.aclose()


def main():
    # Its finalizer of the async client closes what is closed already.
    warnings.simplefilter("ignore", RuntimeWarning)
    client = new_client(HOST, TOKENS["main"])
    os.environ.update(OP_CONNECT_HOST=HOST, OP_CONNECT_TOKEN=TOKENS["main"])
    same(len(new_client_from_environment().get_vaults()), len(client.get_vaults()), "client from the environment")
    for chapter in (vaults, reading, configuration, titles, files, writing, files_stay, refusals):
        try:
            chapter(client)
        except Exception as error:
            print(f"story.py, {chapter.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
            raise
        print(f"{chapter.__name__}: as it should be")
    asyncio.run(asynchronous())
    print("asynchronous: as it should be")


main()
