// A user of the official Go SDK against a mirrored 1Password account: reads an item by the upstream's id and by its title,
// makes one, and prints its id. Run by tests/tests/bridge_end_to_end.rs with the vault's id, the item's, its title and its
// password as arguments; OP_CONNECT_HOST and OP_CONNECT_TOKEN are the SDK's own.
package main

import (
	"fmt"
	"os"

	"github.com/1Password/connect-sdk-go/connect"
	"github.com/1Password/connect-sdk-go/onepassword"
)

func must[T any](value T, err error) T {
	if err != nil {
		stop("%v", err)
	}
	return value
}

func stop(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func same(what, found, wanted string) {
	if found != wanted {
		stop("%s is not as it should be", what)
	}
}

func main() {
	vault, item, title, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	client := must(connect.NewClientFromEnvironment())
	vaults := must(client.GetVaults())
	same("the only vault", vaults[0].ID, vault)
	byID := must(client.GetItemByUUID(item, vault))
	same("the title", byID.Title, title)
	same("the password", byID.GetValue("password"), password)
	byTitle := must(client.GetItemByTitle(title, vault))
	same("the id", byTitle.ID, item)
	made := must(client.CreateItem(&onepassword.Item{
		Title: "made by Go", Category: onepassword.Login, Vault: onepassword.ItemVault{ID: vault},
		Fields: []*onepassword.ItemField{
			{ID: "username", Purpose: onepassword.FieldPurposeUsername, Value: "gopher"},
			{ID: "password", Purpose: onepassword.FieldPurposePassword, Generate: true},
		},
	}, vault))
	again := must(client.GetItemByUUID(made.ID, vault))
	same("what was made", again.Title, "made by Go")
	fmt.Println(made.ID)
}
