// What a user of the official JavaScript SDK does with a Connect server, from listing vaults to being refused.
//
// Run by tests/tests/sdk_js.rs; what to expect is in the JSON file named by SEKISHO_STORY, the SDK is found through
// NODE_PATH. Sections (§) are those of the Connect contract.
"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const { OnePasswordConnect, ItemBuilder, FieldType } = require("@1password/connect");

const story = JSON.parse(fs.readFileSync(process.env.SEKISHO_STORY, "utf8"));
const { host, vaults } = story;
const awkward = vaults.awkward.id;
const absent = "zzzzzzzzzzzzzzzzzzzzzzzzza";
const client = (token, keepAlive = false) => OnePasswordConnect({ serverURL: host, token, keepAlive });

/** The SDK rejects with the answer's own body: `{status, message}` (§9.2). */
async function refused(what, status, message, deed) {
  let found;
  try {
    found = await deed();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.equal(error.status, status, `${what}: status of ${describe(error)}`);
    assert.equal(typeof error.message, "string", `${what}: a message`);
    assert.ok(error.message.includes(message), `${what}: no "${message}" in "${error.message}"`);
    return error;
  }
  assert.fail(`${what}: was not refused, gave ${describe(found)}`);
}

const describe = (value) => (value instanceof Error ? value.stack : JSON.stringify(value));

function only(list, test, what) {
  const found = list.filter(test);
  assert.equal(found.length, 1, what);
  return found[0];
}
const byLabel = (item, label) => only(item.fields, (field) => field.label === label, `fields labelled ${label}`);
const byPurpose = (item, purpose) => only(item.fields, (field) => field.purpose === purpose, `fields with ${purpose}`);

const base32 = (text) =>
  Buffer.from(
    [...text]
      .map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"))
      .join("")
      .match(/.{8}/g)
      .map((bits) => parseInt(bits, 2)),
  );

/** The one-time codes (RFC 6238) of just now, and of the step before and after. */
function codes(seed) {
  return [-1, 0, 1].map((step) => {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + step));
    const digest = crypto.createHmac("sha1", base32(seed)).update(counter).digest();
    const at = digest[digest.length - 1] & 15;
    return String((digest.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, "0");
  });
}

const chapters = {
  async vaults(op) {
    const granted = Object.values(vaults).filter((vault) => vault.granted);
    const listed = await op.listVaults();
    assert.deepEqual(listed.map((vault) => vault.id).sort(), granted.map((vault) => vault.id).sort(), "vaults listed");
    for (const wanted of granted) {
      const vault = await op.getVaultById(wanted.id);
      assert.equal(vault.name, wanted.name);
      assert.equal(vault.description ?? "", wanted.description, `description of ${wanted.name}`);
      assert.equal(vault.items, wanted.items, `number of items in ${wanted.name}`);
      assert.ok(vault.createdAt instanceof Date && !isNaN(vault.createdAt), "dates can be read");
      assert.ok(vault.attributeVersion >= 1 && vault.contentVersion >= 1, "versions");
      assert.deepEqual(await op.getVault(wanted.id), vault, "by id or title, given an id");
      assert.deepEqual(listed.find(({ id }) => id === wanted.id), vault, "in the list and alone");
      if (wanted.name.includes("&")) {
        // The SDK leaves & as it is, which cuts the filter off; never an unfiltered list (§0.2 no. 2).
        await refused("a vault's title with &", 400, "Invalid filter", () => op.getVaultByTitle(wanted.name));
        continue;
      }
      assert.equal((await op.getVault(wanted.name)).id, wanted.id, `${wanted.name} by title`);
      assert.equal((await op.getVaultByTitle(wanted.name.toUpperCase())).id, wanted.id, "by title in another case");
      assert.equal((await op.listVaultsByTitle(wanted.name)).length, 1);
    }
  },

  async reading(op) {
    const wanted = story.login;
    const listed = await op.listItems(wanted.vault);
    assert.equal(listed.length, vaults.personal.items, "items listed; archived ones are not");
    const summary = listed.find(({ id }) => id === wanted.id);
    assert.equal(summary.title, wanted.title);
    assert.equal(summary.vault.id, wanted.vault);
    assert.deepEqual([...summary.tags].sort(), [...wanted.tags].sort(), "tags");

    const item = await op.getItemById(wanted.vault, wanted.id);
    const values = (item) => item.fields.map(({ id, value }) => [id, value]);
    const ways = [
      await op.getItem(wanted.vault, wanted.id),
      await op.getItem(wanted.vault, wanted.title),
      await op.getItemByTitle(wanted.vault, wanted.title),
      only(await op.listItemsByTitle(wanted.vault, wanted.title), () => true, "list by title"),
      // `co`, which only this SDK sends (§1.1).
      only(await op.listItemsByTitleContains(wanted.vault, wanted.title.slice(2, -2)), () => true, "list by part"),
    ];
    for (const way of ways) {
      assert.equal(way.id, item.id);
      assert.deepEqual(values(way), values(item), "the same values by another way");
    }
    assert.equal(byPurpose(item, "USERNAME").value, wanted.username);
    assert.equal(byPurpose(item, "PASSWORD").value, wanted.password);
    assert.equal(byPurpose(item, "PASSWORD").type, FieldType.Concealed);
    assert.equal(byPurpose(item, "NOTES").value, wanted.notes);
    const otp = item.fields.find(({ type }) => type === FieldType.Otp);
    assert.equal(otp.value, wanted.seed);
    const section = item.sections.find(({ label }) => label === wanted.section);
    assert.equal(otp.section.id, section.id, "section of the one-time password");
    for (const code of [item.extractOTP(), await op.getItemOTP(wanted.vault, wanted.title)]) {
      assert.ok(codes(wanted.seed).includes(code), `code ${code} is not of now`);
    }
    assert.equal(byLabel(item, "first").value, wanted.first);
    assert.deepEqual(
      item.urls.map(({ label, primary, href }) => ({ label, primary: primary ?? false, href })),
      wanted.urls,
    );
    assert.equal(item.favorite, true);
    // Its error when there is none is the SDK's own.
    await assert.rejects(op.getItemOTP(awkward, "C++"), /No OTP found for the Item/);
  },

  async titles(op) {
    for (const [title, id] of Object.entries(story.awkward)) {
      if (story.cut.includes(title) || story.malformed.includes(title)) {
        // & and # are left as they are and cut the filter off (§0.2 no. 2); a quote no SDK escapes (§1.1).
        await refused(`title ${title}`, 400, "Invalid filter", () => op.getItemByTitle(awkward, title));
      } else if (story.lost.includes(title)) {
        // A percent sign is sent bare: where two hexadecimal digits follow, it begins an escape (§0.2 no. 2).
        await refused(`title ${title}`, 404, "No Items found", () => op.getItemByTitle(awkward, title));
      } else {
        assert.equal((await op.getItemByTitle(awkward, title)).id, id, `item ${title}`);
      }
      assert.equal((await op.getItemById(awkward, id)).title, title);
    }
    // A title that looks like an id is taken for one (§9.2); by title it is found.
    await refused("a title like an id", 404, `item ${story.id_like} not found`, () => op.getItem(awkward, story.id_like));
    await refused("a title twice", 400, "Found multiple Items", () => op.getItem(awkward, story.twin));
    assert.equal((await op.listItemsByTitle(awkward, story.twin)).length, 2);
    await refused("a title never", 404, "No Items found with title", () => op.getItem(awkward, "no such title"));
  },

  async files(op) {
    for (const wanted of story.files) {
      const at = [wanted.vault, wanted.item];
      const file = only(await op.listFiles(...at), () => true, "files listed");
      assert.equal(file.id, wanted.id);
      assert.equal(file.name, wanted.name);
      assert.equal(file.size, Buffer.byteLength(wanted.content));
      // The model calls it contentPath.
      const path = `/v1/vaults/${wanted.vault}/items/${wanted.item}/files/${wanted.id}/content`;
      assert.equal(file.contentPath ?? file.content_path, path);
      assert.deepEqual(await op.getFileById(...at, file.id), file, "in the list and alone");
      assert.equal(await op.getFileContent(...at, file.id), wanted.content);
      const pieces = [];
      for await (const piece of await op.getFileContentStream(...at, file.id)) pieces.push(piece);
      assert.equal(Buffer.concat(pieces).toString(), wanted.content, "content as a stream");
      // This SDK cannot ask for inlined content: asked through its own client.
      for (const name of ["inline_files", "inline_content"]) {
        const url = `v1/vaults/${wanted.vault}/items/${wanted.item}/files/?${name}=true`;
        const { data } = await op.httpAdapter.sendRequest("get", url);
        assert.equal(Buffer.from(data[0].content, "base64").toString(), wanted.content, "content inlined");
      }
      const byTitle = (await op.getItemById(...at)).title;
      assert.equal((await op.listFiles(vaults.everyone.name, byTitle))[0].id, wanted.id, "by titles");
      await refused("a file that is not", 404, `file ${absent} not found`, () => op.getFileById(...at, absent));
      // Content is asked for as a stream, so its rejection carries neither status nor message (§9.3a).
      await assert.rejects(op.getFileContent(...at, absent), (error) => error.status === undefined);
    }
    await refused("files of no item", 404, `item ${absent} not found`, () => op.listFiles(awkward, absent));
  },

  async writing(op) {
    const title = "Made by JavaScript äöü";
    const made = await op.createItem(awkward, draft(title));
    assert.equal(made.version, 1);
    created(made, title);
    let item = await op.getItemByTitle(awkward, title);
    created(item, title);
    assert.equal(item.id, made.id);
    const values = (item) => Object.fromEntries(item.fields.map(({ id, value }) => [id, value]));
    assert.deepEqual(values(item), values(made), "what is read is what was made");

    const first = byPurpose(item, "PASSWORD").value;
    item.title = "Changed by JavaScript";
    item.tags.push("changed");
    item.favorite = true;
    byPurpose(item, "PASSWORD").value = "correct horse";
    item.fields.push({ type: FieldType.String, label: "added", value: "new" });
    const answer = await op.updateItem(awkward, item);
    assert.equal(byPurpose(answer, "PASSWORD").value, "correct horse", "the answer shows the new content");
    // PUT answers with the old version, the next GET is one ahead: Terraform relies on it (§0.2 no. 8).
    assert.equal(answer.version, 1);
    item = await op.getItemById(awkward, made.id);
    assert.equal(item.version, 2);
    assert.equal(item.title, "Changed by JavaScript");
    assert.equal(item.favorite, true);
    assert.deepEqual([...item.tags].sort(), ["changed", "connect", "team/blue"]);
    assert.equal(byPurpose(item, "PASSWORD").value, "correct horse");
    const { [byLabel(item, "added").id]: added, ...rest } = values(item);
    assert.equal(added, "new");
    assert.deepEqual(rest, { ...values(made), password: "correct horse" }, "other fields stay as they were");
    const { data } = await op.httpAdapter.sendRequest("get", `v1/vaults/${awkward}/items/${made.id}`);
    const { history } = data.fields.find(({ id }) => id === "password").passwordDetails;
    assert.deepEqual(history, [first], "the old password is in the history");
    await refused("the old title", 404, "No Items found", () => op.getItem(awkward, title));

    item.fields = item.fields.filter(({ label }) => label !== "added");
    item.urls = [];
    assert.equal((await op.updateItem(awkward, item)).version, 2);
    item = await op.getItem(awkward, "Changed by JavaScript");
    assert.equal(item.version, 3);
    assert.equal(item.urls, undefined, "URLs are gone");
    assert.ok(!item.fields.some(({ label }) => label === "added"), "the field is gone");

    await op.deleteItem(awkward, "Changed by JavaScript");
    await refused("a deleted item", 404, `item ${made.id} not found`, () => op.getItemById(awkward, made.id));
    await refused("a second delete", 404, "not found", () => op.deleteItem(awkward, made.id));
    await refused("an update of nothing", 404, "not found", () => op.updateItem(awkward, item));
  },

  /** The SDK sends files back on PUT, as it got them. */
  async filesStay(op) {
    const wanted = story.keeper;
    const item = await op.getItemById(wanted.vault, wanted.item);
    item.tags = ["javascript"];
    await op.updateItem(wanted.vault, item);
    assert.equal(await op.getFileContent(wanted.vault, wanted.item, wanted.id), wanted.content);
  },

  async refusals(op) {
    const hidden = vaults.hidden;
    const scope = "Authorization: token does not have access to vault";
    await refused("a vault out of scope", 403, scope, () => op.getVaultById(hidden.id));
    await refused("its items", 403, scope, () => op.listItems(hidden.id));
    await refused("one of them", 403, scope, () => op.getItemById(hidden.id, absent));
    await refused("one of them by title", 403, scope, () => op.getItemByTitle(hidden.id, "x"));
    await refused("a vault out of scope by title", 404, "No Vaults found", () => op.getVault(hidden.name));
    await refused("a vault that is not", 403, scope, () => op.getVault(absent));
    await refused("a bad vault id", 400, "Invalid Vault UUID", () => op.getVaultById("no-id"));
    // js#29: an object where an id is wanted.
    await refused("an object for an id", 400, "Invalid Vault UUID", () => op.createItem({ id: awkward }, draft("x")));
    await refused("a bad item id", 400, "Invalid Item UUID", () => op.getItemById(awkward, "no-id"));
    await refused("an item that is not", 404, `item ${absent} not found`, () => op.getItemById(awkward, absent));
    await refused("no category", 400, "Invalid item category", () => op.createItem(awkward, { title: "x" }));
    await refused("an item of no category", 400, "", () => op.createItem(awkward, { title: "x", category: "CUSTOM" }));
    const password = (value) => ({ purpose: "PASSWORD", type: "STRING", value });
    await refused("two passwords", 400, 'You can only use one "password" field', () =>
      op.createItem(awkward, { title: "x", category: "LOGIN", fields: [password("a"), password("b")] }),
    );

    const reader = client(story.tokens.reader);
    const item = await reader.getItem(awkward, "C++");
    const denied = (verb) => `Authorization: token does not have permission to perform ${verb} on vault ${awkward}`;
    await refused("create with a reading token", 403, denied("create"), () => reader.createItem(awkward, draft("x")));
    await refused("update with a reading token", 403, denied("update"), () => reader.updateItem(awkward, item));
    await refused("delete with a reading token", 403, denied("delete"), () => reader.deleteItemById(awkward, item.id));

    const { main } = story.tokens;
    const tampered = main.slice(0, -40) + (main.at(-40) === "A" ? "B" : "A") + main.slice(-39);
    for (const token of ["nonsense", tampered]) {
      const stranger = client(token);
      await refused("a bad token", 401, "Invalid", () => stranger.listVaults());
      await refused("a bad token", 401, "Invalid", () => stranger.getItemById(awkward, item.id));
      await refused("a bad token", 401, "Invalid", () => stranger.createItem(awkward, draft("x")));
    }
  },
};

function draft(title) {
  return new ItemBuilder()
    .setCategory("LOGIN")
    .setTitle(title)
    .addTag("connect")
    .addTag("team/blue")
    .addUrl({ primary: true, href: "https://example.com" })
    .addUrl({ href: "https://example.org" })
    .addField({ purpose: "USERNAME", value: "wendy" })
    .addField({ purpose: "PASSWORD", generate: true, recipe: { length: 55, characterSets: ["LETTERS", "DIGITS"] } })
    .addField({ purpose: "NOTES", value: "line one\nZeile zwei: äöü" })
    .addField({
      type: FieldType.Concealed,
      label: "Recovery Key",
      sectionName: "Security Questions",
      generate: true,
      recipe: { length: 32, characterSets: [] },
    })
    .addField({ type: FieldType.Otp, label: "code", value: "JBSWY3DPEHPK3PXP", sectionName: "Security Questions" })
    .addField({ type: FieldType.Url, label: "Example", value: "https://example.com" })
    .addField({ type: FieldType.Date, label: "since", value: "2026-01-02" })
    .addField({ type: FieldType.MonthYear, label: "until", value: "2027/03" })
    .build();
}

function created(item, title) {
  assert.equal(item.title, title);
  assert.equal(item.category, "LOGIN");
  assert.equal(item.vault.id, awkward);
  assert.deepEqual([...item.tags].sort(), ["connect", "team/blue"]);
  assert.deepEqual(item.urls.map(({ href }) => href), ["https://example.com", "https://example.org"]);
  assert.equal(item.urls[0].primary, true);
  assert.deepEqual(item.sections.map(({ label }) => label), ["Security Questions"]);
  const password = byPurpose(item, "PASSWORD");
  assert.equal(password.type, FieldType.Concealed, "whatever was sent (§2.4)");
  assert.match(password.value, /^(?=.*[0-9])(?=.*[A-Za-z])[0-9A-Za-z]{55}$/, "each set asked for occurs, no other");
  assert.equal(password.recipe, undefined, "the recipe is not sent back");
  assert.equal(byPurpose(item, "USERNAME").value, "wendy");
  assert.equal(byPurpose(item, "NOTES").value, "line one\nZeile zwei: äöü");
  assert.equal(byLabel(item, "Recovery Key").section.id, item.sections[0].id);
  assert.equal(byLabel(item, "Recovery Key").value.length, 32);
  assert.ok(codes("JBSWY3DPEHPK3PXP").includes(item.extractOTP()), "code of a new one-time password");
  assert.equal(byLabel(item, "since").value, "1767355260", "dates are Unix seconds (§2.4)");
  assert.equal(byLabel(item, "until").value, "202703", "months are YYYYMM (§2.4)");
  assert.ok(item.createdAt instanceof Date && Math.abs(Date.now() - item.createdAt) < 600000, "made just now");
}

(async () => {
  const op = client(story.tokens.main, true);
  for (const [name, chapter] of Object.entries(chapters)) {
    try {
      await chapter(op);
    } catch (error) {
      console.error(`story.js, ${name}: ${describe(error)}`);
      process.exit(1);
    }
    console.log(`${name}: as it should be`);
  }
  process.exit(0);
})();
