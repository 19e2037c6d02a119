// A user of the official JavaScript SDK against a mirrored 1Password account: reads an item by the upstream's id and by
// its title, makes one, and prints its id. Run by tests/tests/bridge_end_to_end.rs with the vault's id, the item's, its
// title and its password as arguments; OP_CONNECT_HOST and OP_CONNECT_TOKEN are those of the vendor's examples.
"use strict";

const assert = require("node:assert/strict");
const { OnePasswordConnect, ItemBuilder } = require("@1password/connect");

const [vault, item, title, password] = process.argv.slice(2);
const { OP_CONNECT_HOST: serverURL, OP_CONNECT_TOKEN: token } = process.env;

async function main() {
  const op = OnePasswordConnect({ serverURL, token, keepAlive: false });
  const vaults = await op.listVaults();
  assert.deepEqual(vaults.map((found) => found.id), [vault], "the only vault");
  const byId = await op.getItemById(vault, item);
  assert.ok(byId.title === title, "the title");
  assert.ok(byId.fields.find((field) => field.id === "password").value === password, "the password");
  const byTitle = await op.getItemByTitle(vault, title);
  assert.equal(byTitle.id, item, "the id");
  const draft = new ItemBuilder()
    .setCategory("LOGIN")
    .setTitle("made by JavaScript")
    .addField({ purpose: "USERNAME", value: "wendy" })
    .addField({ purpose: "PASSWORD", generate: true, recipe: { length: 32, characterSets: ["LETTERS", "DIGITS"] } })
    .build();
  const made = await op.createItem(vault, draft);
  const again = await op.getItemById(vault, made.id);
  assert.equal(again.title, "made by JavaScript", "what was made");
  console.log(made.id);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
