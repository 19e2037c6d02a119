// What a user of the official Go SDK does with a Connect server, from listing vaults to being refused.
//
// Run by tests/tests/sdk_go.rs; what to expect is in the JSON file named by SEKISHO_STORY. Sections (§) are those of
// the Connect contract.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/1Password/connect-sdk-go/connect"
	"github.com/1Password/connect-sdk-go/onepassword"
)

const absent = "zzzzzzzzzzzzzzzzzzzzzzzzza"

type storyVault struct {
	ID, Name, Description string
	Items                 int
	Granted               bool
}

type storyFile struct{ ID, Item, Vault, Name, Content string }

var story struct {
	Host   string
	Tokens struct{ Main, Reader string }
	Vaults map[string]storyVault
	Login  struct {
		ID, Vault, Title, Username, Password, Notes, Seed, Section, First string
		Tags                                                              []string
		URLs                                                              []onepassword.ItemURL
	}
	Files     []storyFile
	Keeper    storyFile
	Awkward   map[string]string
	Malformed []string
	Twin      string
	IDLike    string `json:"id_like"`
}

var awkward string

// same stops the story where something is not as it should be.
func same(what string, found, wanted any) {
	if !reflect.DeepEqual(found, wanted) {
		stop("%s: found %#v, wanted %#v", what, found, wanted)
	}
}

func holds(what string, condition bool) {
	if !condition {
		stop("%s", what)
	}
}

func stop(format string, values ...any) {
	_, _, line, _ := runtime.Caller(2)
	fmt.Fprintf(os.Stderr, "main.go, called from line %d: %s\n", line, fmt.Sprintf(format, values...))
	os.Exit(1)
}

// got is for what must not be refused.
func got[T any](value T, err error) T {
	if err != nil {
		stop("refused: %v", err)
	}
	return value
}

// refused: the SDK's own error has the status and the message of the answer (§9.1).
func refused(what string, err error, status int, message string) {
	var refusal *onepassword.Error
	if !errors.As(err, &refusal) {
		stop("%s: %v is not an error of the API", what, err)
	}
	if refusal.StatusCode != status || !strings.Contains(refusal.Message, message) {
		stop("%s: found %v, wanted status %d: …%s…", what, err, status, message)
	}
	// Terraform and External Secrets read this text.
	if !strings.HasPrefix(err.Error(), fmt.Sprintf("status %d: ", status)) {
		stop("%s: text %q", what, err.Error())
	}
}

// says is for errors that the SDK makes itself.
func says(what string, err error, text string) {
	if err == nil || !strings.Contains(err.Error(), text) {
		stop("%s: found %v, wanted …%s…", what, err, text)
	}
}

func field(item *onepassword.Item, test func(*onepassword.ItemField) bool) *onepassword.ItemField {
	var found []*onepassword.ItemField
	for _, field := range item.Fields {
		if test(field) {
			found = append(found, field)
		}
	}
	if len(found) != 1 {
		stop("%d fields instead of one in %q", len(found), item.Title)
	}
	return found[0]
}

func byPurpose(item *onepassword.Item, purpose onepassword.ItemFieldPurpose) *onepassword.ItemField {
	return field(item, func(field *onepassword.ItemField) bool { return field.Purpose == purpose })
}

func byLabel(item *onepassword.Item, label string) *onepassword.ItemField {
	return field(item, func(field *onepassword.ItemField) bool { return field.Label == label })
}

func sorted(texts []string) []string {
	texts = append([]string{}, texts...)
	sort.Strings(texts)
	return texts
}

// isCode: one of the one-time codes (RFC 6238) of just now, or of the step before or after.
func isCode(seed, code string) bool {
	key := got(base32.StdEncoding.DecodeString(seed))
	for step := int64(-1); step <= 1; step++ {
		mac := hmac.New(sha1.New, key)
		_ = binary.Write(mac, binary.BigEndian, time.Now().Unix()/30+step)
		digest := mac.Sum(nil)
		at := digest[len(digest)-1] & 15
		if fmt.Sprintf("%06d", binary.BigEndian.Uint32(digest[at:])&0x7fffffff%1_000_000) == code {
			return true
		}
	}
	return false
}

func vaults(client connect.Client) {
	listed := map[string]onepassword.Vault{}
	for _, vault := range got(client.GetVaults()) {
		listed[vault.ID] = vault
	}
	granted := 0
	for _, wanted := range story.Vaults {
		if !wanted.Granted {
			continue
		}
		granted++
		vault := got(client.GetVaultByUUID(wanted.ID))
		same("name", vault.Name, wanted.Name)
		same("description", vault.Description, wanted.Description)
		same("number of items", vault.Items, wanted.Items)
		holds("dates", !vault.CreatedAt.IsZero() && !vault.UpdatedAt.IsZero())
		same("in the list and alone", listed[wanted.ID], *vault)
		same("by id or title, given an id", got(client.GetVault(wanted.ID)), vault)
		same("by title", got(client.GetVault(wanted.Name)), vault)
		same("by title in another case", got(client.GetVaultByTitle(strings.ToUpper(wanted.Name))), vault)
		same("list by title", len(got(client.GetVaultsByTitle(wanted.Name))), 1)
	}
	same("vaults listed", len(listed), granted)
}

func values(item *onepassword.Item) map[string]string {
	values := map[string]string{}
	for _, field := range item.Fields {
		values[field.ID] = field.Value
	}
	return values
}

func reading(client connect.Client) {
	wanted := story.Login
	listed := got(client.GetItems(wanted.Vault))
	same("items listed; archived ones are not", len(listed), story.Vaults["personal"].Items)
	for _, summary := range listed {
		same("the summary's vault", summary.Vault.ID, wanted.Vault)
		if summary.ID == wanted.ID {
			same("the summary's title", summary.Title, wanted.Title)
			same("the summary's tags", sorted(summary.Tags), sorted(wanted.Tags))
		}
	}
	item := got(client.GetItemByUUID(wanted.ID, wanted.Vault))
	for _, way := range []*onepassword.Item{
		got(client.GetItem(wanted.ID, wanted.Vault)),
		got(client.GetItem(wanted.Title, story.Vaults["personal"].Name)),
		got(client.GetItemByTitle(wanted.Title, wanted.Vault)),
		&got(client.GetItemsByTitle(wanted.Title, wanted.Vault))[0],
	} {
		same("the same item by another way", way.ID, item.ID)
		same("values by another way", values(way), values(item))
	}
	same("category", item.Category, onepassword.Login)
	same("user name", byPurpose(item, onepassword.FieldPurposeUsername).Value, wanted.Username)
	same("user name by label", item.GetValue("username"), wanted.Username)
	password := byPurpose(item, onepassword.FieldPurposePassword)
	same("password", password.Value, wanted.Password)
	same("type of the password", password.Type, onepassword.FieldTypeConcealed)
	holds("entropy", password.Entropy > 0)
	same("notes", byPurpose(item, onepassword.FieldPurposeNotes).Value, wanted.Notes)
	otp := field(item, func(field *onepassword.ItemField) bool { return field.Type == onepassword.FieldTypeOTP })
	same("seed", otp.Value, wanted.Seed)
	holds("code "+otp.TOTP+" is of now", isCode(wanted.Seed, otp.TOTP))
	same("section of the one-time password", item.SectionLabelForID(otp.Section.ID), wanted.Section)
	same("value by section and label", item.GetValue(wanted.Section+".first"), wanted.First)
	same("URLs", item.URLs, wanted.URLs)
	holds("favourite", item.Favorite)
}

// Structs are filled by tags; the SDK lower-cases the server's section label but not the tag (§9.3a).
func configuration(client connect.Client) {
	wanted := story.Login
	var config struct {
		First   string                  `opsection:"sign-in" opfield:"first"`
		Section onepassword.ItemSection `opsection:"sign-in"`
		URL     onepassword.ItemURL     `opurl:"website"`
		Item    onepassword.Item
	}
	for _, query := range []string{wanted.ID, wanted.Title} {
		if err := client.LoadStructFromItem(&config, query, wanted.Vault); err != nil {
			stop("LoadStructFromItem: %v", err)
		}
		same("field in a section", config.First, wanted.First)
		same("section", config.Section.Label, wanted.Section)
		same("URL", config.URL, wanted.URLs[0])
		same("whole item", config.Item.ID, wanted.ID)
	}
	// A field outside sections is not found where a section without label stands (the login's "add more"): the SDK takes
	// the absent tag for that section's label. So it is read of an item without sections.
	var plain struct {
		Notes string `opfield:"notesPlain"`
	}
	if err := client.LoadStructFromItem(&plain, "C++", awkward); err != nil {
		stop("LoadStructFromItem: %v", err)
	}
	same("field outside sections", plain.Notes, "a note")
}

func contains(texts []string, wanted string) bool {
	for _, text := range texts {
		if text == wanted {
			return true
		}
	}
	return false
}

func titles(client connect.Client) {
	for title, id := range story.Awkward {
		item, err := client.GetItemByTitle(title, awkward)
		if contains(story.Malformed, title) {
			// A quote is not escaped by any SDK (§1.1).
			refused("title "+title, err, 400, "Invalid filter")
		} else {
			// This SDK encodes everything, & and # too (§0.2 no. 2).
			same("item "+title, got(item, err).ID, id)
		}
		same("title", got(client.GetItemByUUID(id, awkward)).Title, title)
	}
	// A title that looks like an id: tried as one first, then found (§9.1).
	same("a title like an id", got(client.GetItem(story.IDLike, awkward)).Title, story.IDLike)
	_, err := client.GetItem(story.Twin, awkward)
	says("a title twice", err, "Found 2 item(s) in vault")
	same("both of them", len(got(client.GetItemsByTitle(story.Twin, awkward))), 2)
	_, err = client.GetItem("no such title", awkward)
	says("a title never", err, "Found 0 item(s) in vault")
	same("none of them", len(got(client.GetItemsByTitle("no such title", awkward))), 0)
}

func files(client connect.Client) {
	folder := got(os.MkdirTemp("", "sekisho-sdk-go"))
	defer os.RemoveAll(folder)
	for _, wanted := range story.Files {
		// The version header is what lets this SDK ask for files at all (§0.2 no. 6).
		listed := got(client.GetFiles(wanted.Item, wanted.Vault))
		same("files listed", len(listed), 1)
		file := got(client.GetFile(wanted.ID, wanted.Item, wanted.Vault))
		same("in the list and alone", listed[0], *file)
		same("name", file.Name, wanted.Name)
		same("size", file.Size, len(wanted.Content))
		path := "/v1/vaults/" + wanted.Vault + "/items/" + wanted.Item + "/files/" + wanted.ID + "/content"
		same("content path, with a slash (§0.2 no. 7)", file.ContentPath, path)
		same("content", string(got(client.GetFileContent(file))), wanted.Content)
		path = got(client.DownloadFile(&listed[0], folder, true))
		same("downloaded to", path, filepath.Join(folder, wanted.Name))
		same("content downloaded", string(got(os.ReadFile(path))), wanted.Content)
		item := got(client.GetItemByUUID(wanted.Item, wanted.Vault))
		same("files in the item", item.Files[0].ID, wanted.ID)
		same("content by the item", string(got(client.GetFileContent(item.Files[0]))), wanted.Content)
		_, err := client.GetFile(absent, wanted.Item, wanted.Vault)
		refused("a file that is not", err, 404, "file "+absent+" not found")
		file = &onepassword.File{Name: "none", ContentPath: strings.Replace(file.ContentPath, wanted.ID, absent, 1)}
		_, err = client.GetFileContent(file)
		refused("content that is not", err, 404, "file "+absent+" not found")
		// DownloadFile never looks at the status: the refusal becomes the file (§9.3a).
		path = got(client.DownloadFile(file, folder, true))
		holds("the refusal in the file", strings.Contains(string(got(os.ReadFile(path))), `"status":404`))
	}
	_, err := client.GetFiles(absent, awkward)
	refused("files of no item", err, 404, "item "+absent+" not found")
}

func draft(title string) *onepassword.Item {
	questions := &onepassword.ItemSection{ID: "95cdbc3b-7742-47ec-9056-44d6af82d562", Label: "Security Questions"}
	return &onepassword.Item{
		Title:    title,
		Category: onepassword.Login,
		Vault:    onepassword.ItemVault{ID: awkward},
		Tags:     []string{"connect", "team/blue"},
		URLs:     []onepassword.ItemURL{{Primary: true, Label: "Website", URL: "https://example.com"}, {URL: "https://example.org"}},
		Sections: []*onepassword.ItemSection{questions},
		Fields: []*onepassword.ItemField{
			{Purpose: onepassword.FieldPurposeUsername, Value: "wendy"},
			{Purpose: onepassword.FieldPurposePassword, Generate: true,
				Recipe: &onepassword.GeneratorRecipe{Length: 55, CharacterSets: []string{"LETTERS", "DIGITS"}}},
			{Purpose: onepassword.FieldPurposeNotes, Value: "line one\nZeile zwei: äöü"},
			{Section: questions, Type: onepassword.FieldTypeConcealed, Generate: true, Label: "Recovery Key"},
			{Section: questions, Type: onepassword.FieldTypeOTP, Label: "code", Value: "JBSWY3DPEHPK3PXP"},
			{Type: onepassword.FieldTypeURL, Label: "Example", Value: "https://example.com"},
			{Type: onepassword.FieldTypeDate, Label: "since", Value: "2026-01-02"},
			{Type: onepassword.FieldTypeMonthYear, Label: "until", Value: "2027/03"},
		},
	}
}

var made55 = regexp.MustCompile(`^[0-9A-Za-z]{55}$`)

func created(item *onepassword.Item, title string) {
	same("title", item.Title, title)
	same("category", item.Category, onepassword.Login)
	same("vault", item.Vault.ID, awkward)
	same("tags", sorted(item.Tags), []string{"connect", "team/blue"})
	same("URLs", item.URLs, []onepassword.ItemURL{{Primary: true, Label: "Website", URL: "https://example.com"}, {URL: "https://example.org"}})
	same("sections", len(item.Sections), 1)
	same("section", item.Sections[0].Label, "Security Questions")
	password := byPurpose(item, onepassword.FieldPurposePassword)
	holds("password "+password.Value+" is of the sets asked for", made55.MatchString(password.Value))
	holds("each set occurs", strings.ContainsAny(password.Value, "0123456789"))
	same("type of the password, sent as empty", password.Type, onepassword.FieldTypeConcealed)
	holds("the recipe is not sent back", password.Recipe == nil && !password.Generate)
	same("user name", byPurpose(item, onepassword.FieldPurposeUsername).Value, "wendy")
	same("notes", byPurpose(item, onepassword.FieldPurposeNotes).Value, "line one\nZeile zwei: äöü")
	same("length of the recovery key", len(byLabel(item, "Recovery Key").Value), 32)
	same("by section and label", item.GetValue("Security Questions.Recovery Key"), byLabel(item, "Recovery Key").Value)
	holds("code", isCode("JBSWY3DPEHPK3PXP", byLabel(item, "code").TOTP))
	same("dates are Unix seconds (§2.4)", byLabel(item, "since").Value, "1767355260")
	same("months are YYYYMM (§2.4)", byLabel(item, "until").Value, "202703")
	holds("made just now", time.Since(item.CreatedAt) < 10*time.Minute)
}

func writing(client connect.Client) {
	title := "Made by Go äöü"
	made := got(client.CreateItem(draft(title), awkward))
	same("version of a new item", made.Version, 1)
	created(made, title)
	item := got(client.GetItem(title, awkward))
	created(item, title)
	same("what is read is what was made", values(item), values(made))

	first := byPurpose(item, onepassword.FieldPurposePassword)
	before := values(item)
	item.Title = "Changed by Go"
	item.Tags = append(item.Tags, "changed")
	item.Favorite = true
	first.Value = "correct horse"
	item.Fields = append(item.Fields, &onepassword.ItemField{Label: "added", Value: "new"})
	answer := got(client.UpdateItem(item, awkward))
	same("the answer shows the new content", byPurpose(answer, onepassword.FieldPurposePassword).Value, "correct horse")
	// PUT answers with the old version, the next GET is one ahead: Terraform relies on it (§0.2 no. 8).
	same("version in a PUT's answer", answer.Version, 1)
	item = got(client.GetItemByUUID(made.ID, awkward))
	same("version after the update", item.Version, 2)
	same("title after the update", item.Title, "Changed by Go")
	holds("favourite after the update", item.Favorite)
	same("tags after the update", sorted(item.Tags), []string{"changed", "connect", "team/blue"})
	before["password"] = "correct horse"
	before[byLabel(item, "added").ID] = "new"
	same("other fields stay as they were", values(item), before)
	_, err := client.GetItem(title, awkward)
	says("the old title", err, "Found 0 item(s)")

	kept := item.Fields[:0]
	for _, field := range item.Fields {
		if field.Label != "added" {
			kept = append(kept, field)
		}
	}
	item.Fields, item.URLs, item.Version = kept, nil, 0
	same("version in the second PUT's answer", got(client.UpdateItem(item, awkward)).Version, 2)
	item = got(client.GetItem("Changed by Go", awkward))
	same("version after the second update", item.Version, 3)
	same("URLs after the second update", len(item.URLs), 0)
	same("fields after the second update", item.GetValue("added"), "")

	if err := client.DeleteItem(item, awkward); err != nil {
		stop("delete: %v", err)
	}
	gone := fmt.Sprintf("item %s not found", made.ID)
	_, err = client.GetItemByUUID(made.ID, awkward)
	refused("a deleted item", err, 404, gone)
	refused("a second delete", client.DeleteItemByID(made.ID, awkward), 404, "not found")
	_, err = client.UpdateItem(item, awkward)
	refused("an update of nothing", err, 404, "not found")
	// On any error GetItem tries the title: what it says then is its own (§9.1).
	_, err = client.GetItem(made.ID, awkward)
	says("a deleted item by id or title", err, "Found 0 item(s)")

	again := got(client.CreateItem(draft(title), story.Vaults["awkward"].Name))
	if err := client.DeleteItemByTitle(title, story.Vaults["awkward"].Name); err != nil {
		stop("delete by title: %v", err)
	}
	_, err = client.GetItemByUUID(again.ID, awkward)
	refused("an item deleted by title", err, 404, "not found")

	// As External Secrets pushes: a SERVER item with one field without id, and nothing of the server's making (§9.7).
	pushed := got(client.CreateItem(&onepassword.Item{Title: "Pushed", Category: onepassword.Server,
		Vault:  onepassword.ItemVault{ID: story.Vaults["awkward"].Name},
		Fields: []*onepassword.ItemField{{Label: "password", Type: onepassword.FieldTypeConcealed, Value: "pushed"}}}, awkward))
	same("fields of a pushed item", len(pushed.Fields), 1)
	same("sections of a pushed item", len(pushed.Sections), 0)
	if err := client.DeleteItem(pushed, awkward); err != nil {
		stop("delete: %v", err)
	}
}

// The SDK sends files back on PUT as it got them.
func filesStay(client connect.Client) {
	wanted := story.Keeper
	item := got(client.GetItemByUUID(wanted.Item, wanted.Vault))
	item.Tags = []string{"go"}
	got(client.UpdateItem(item, wanted.Vault))
	file := got(client.GetFile(wanted.ID, wanted.Item, wanted.Vault))
	same("a file's content after a PUT", string(got(client.GetFileContent(file))), wanted.Content)
}

func refusals(client connect.Client) {
	hidden := story.Vaults["hidden"]
	scope := "Authorization: token does not have access to vault"
	_, err := client.GetVault(hidden.ID)
	refused("a vault out of scope", err, 403, scope)
	_, err = client.GetItems(hidden.ID)
	refused("its items", err, 403, scope)
	_, err = client.GetItemByUUID(absent, hidden.ID)
	refused("one of them", err, 403, scope)
	_, err = client.GetItemByTitle("x", hidden.ID)
	refused("one of them by title", err, 403, scope)
	_, err = client.GetVault(hidden.Name)
	says("a vault out of scope by title", err, "Found 0 vaults with title")
	_, err = client.GetVault(absent)
	refused("a vault that is not", err, 403, scope)
	// Ids of a wrong form never leave this SDK (§9.1), but for those in an item's own members.
	_, err = client.GetItemByUUID("no-id", awkward)
	says("a bad item id", err, "malformed item uuid provided")
	_, err = client.UpdateItem(&onepassword.Item{ID: "no-id", Vault: onepassword.ItemVault{ID: awkward}}, "")
	refused("a bad item id on the wire", err, 400, "Invalid Item UUID")
	_, err = client.UpdateItem(&onepassword.Item{ID: absent, Vault: onepassword.ItemVault{ID: "no-id"}}, "")
	refused("a bad vault id on the wire", err, 400, "Invalid Vault UUID")
	_, err = client.GetItemByUUID(absent, awkward)
	refused("an item that is not", err, 404, "item "+absent+" not found")
	// Go compares code and message exactly.
	holds("errors.Is", errors.Is(err, &onepassword.Error{StatusCode: 404, Message: "item " + absent + " not found"}))
	_, err = client.CreateItem(&onepassword.Item{Title: "x"}, awkward)
	refused("an item without category", err, 400, "Invalid item category")
	_, err = client.CreateItem(&onepassword.Item{Title: "x", Category: onepassword.Custom}, awkward)
	refused("an item of no category", err, 400, "")
	password := func(value string) *onepassword.ItemField {
		return &onepassword.ItemField{Purpose: onepassword.FieldPurposePassword, Value: value}
	}
	_, err = client.CreateItem(&onepassword.Item{Title: "x", Category: onepassword.Login,
		Fields: []*onepassword.ItemField{password("a"), password("b")}}, awkward)
	refused("two passwords", err, 400, `You can only use one "password" field`)

	reader := connect.NewClient(story.Host, story.Tokens.Reader)
	item := got(reader.GetItem("C++", awkward))
	denied := "Authorization: token does not have permission to perform %s on vault " + awkward
	_, err = reader.CreateItem(draft("not to be"), awkward)
	refused("create with a reading token", err, 403, fmt.Sprintf(denied, "create"))
	_, err = reader.UpdateItem(item, awkward)
	refused("update with a reading token", err, 403, fmt.Sprintf(denied, "update"))
	refused("delete with a reading token", reader.DeleteItem(item, awkward), 403, fmt.Sprintf(denied, "delete"))

	main := []byte(story.Tokens.Main)
	if at := len(main) - 40; main[at] == 'A' {
		main[at] = 'B'
	} else {
		main[at] = 'A'
	}
	for _, token := range []string{"nonsense", string(main)} {
		stranger := connect.NewClient(story.Host, token)
		_, err = stranger.GetVaults()
		refused("a bad token", err, 401, "Invalid")
		_, err = stranger.GetItemByUUID(item.ID, awkward)
		refused("a bad token", err, 401, "Invalid")
		_, err = stranger.CreateItem(draft("not to be"), awkward)
		refused("a bad token", err, 401, "Invalid")
	}
}

func main() {
	text := got(os.ReadFile(os.Getenv("SEKISHO_STORY")))
	if err := json.Unmarshal(text, &story); err != nil {
		stop("the story: %v", err)
	}
	awkward = story.Vaults["awkward"].ID
	_ = os.Setenv("OP_CONNECT_HOST", story.Host)
	_ = os.Setenv("OP_CONNECT_TOKEN", story.Tokens.Main)
	client := got(connect.NewClientFromEnvironment())
	for _, chapter := range []struct {
		name string
		tell func(connect.Client)
	}{
		{"vaults", vaults}, {"reading", reading}, {"configuration", configuration}, {"titles", titles}, {"files", files},
		{"writing", writing}, {"files stay", filesStay}, {"refusals", refusals},
	} {
		chapter.tell(client)
		fmt.Printf("%s: as it should be\n", chapter.name)
	}
}
