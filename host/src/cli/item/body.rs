//! A create request in the making: a skeleton or a client's JSON, and what the command line says beyond it.

use sekisho_account::random::SystemRng;
use sekisho_core::{
    id::generate_member_id,
    item::{Category, FieldType, json as item_json},
};
use serde_json::{Map, Value, json};

use super::{assignment::Assignment, recipe::LowRecipe, template};

/// The body of a POST; wipes itself.
pub(super) struct Body {
    value: Value,
    /// Whether empty fields come from us and go again.
    is_skeleton: bool,
}

impl Body {
    pub(super) fn of_category(category: Category) -> Self {
        Self {
            value: template::skeleton(category),
            is_skeleton: true,
        }
    }

    pub(super) const fn of_template(value: Value) -> Self {
        Self {
            value,
            is_skeleton: false,
        }
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        if let Some(members) = self.value.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    }

    pub(super) fn add_urls(&mut self, hrefs: &[String]) {
        let urls = list(&mut self.value, "urls");
        let has_primary = !urls.is_empty();
        for (position, href) in hrefs.iter().enumerate() {
            let mut url = Map::from_iter([("href".to_owned(), Value::from(href.as_str()))]);
            if position == 0 && !has_primary {
                url.insert("primary".into(), true.into());
            }
            urls.push(url.into());
        }
    }

    /// Whether a document is to be made.
    pub(super) fn is_document(&self) -> bool {
        let category = self.value.get("category").and_then(Value::as_str);
        category.is_some_and(|word| word.eq_ignore_ascii_case("document"))
    }

    /// Where an item is, is not the body's to say.
    pub(super) fn forget_place(&mut self) {
        object(&mut self.value).shift_remove("vault");
    }

    /// The id of a section by its label or id; made if there is none.
    pub(super) fn section(&mut self, wanted: &str) -> String {
        if let Some(id) = section_id(&self.value, wanted) {
            return id;
        }
        let id = generate_member_id(&mut SystemRng);
        list(&mut self.value, "sections").push(json!({ "id": id, "label": wanted }));
        id
    }

    /// Removes a field; whether there was one.
    pub(super) fn remove(&mut self, section: Option<&str>, name: &str) -> bool {
        let Some(position) = self.position(section, name) else {
            return false;
        };
        let mut field = list(&mut self.value, "fields").remove(position);
        item_json::wipe(&mut field);
        true
    }

    /// Sets a field that is there, or adds one.
    pub(super) fn assign(&mut self, assignment: &Assignment) {
        let field = self.field(assignment.section.as_deref(), &assignment.field);
        if let Some(kind) = &assignment.kind {
            field.insert("type".into(), kind.as_str().into());
        }
        field
            .entry("type")
            .or_insert_with(|| FieldType::Concealed.as_str().into());
        // EXPOSE: the request that is about to be built and sealed.
        field.insert("value".into(), assignment.value.expose().into());
    }

    pub(super) fn generate_password(&mut self, recipe: &LowRecipe) {
        let field = self.field(None, "password");
        field.insert("type".into(), FieldType::Concealed.as_str().into());
        field.insert("generate".into(), true.into());
        field.insert("recipe".into(), recipe.to_json());
        field.shift_remove("value");
    }

    fn field(&mut self, section: Option<&str>, name: &str) -> &mut Map<String, Value> {
        // `op` knows the notes by their id; people do not.
        let name = match (section, name) {
            (None, "notes") => "notesPlain",
            _ => name,
        };
        let found = self.position(section, name);
        let section_id = section.map(|section| section_id(&self.value, section));
        let fields = list(&mut self.value, "fields");
        let position = found.unwrap_or_else(|| {
            fields.push(new_field(section, section_id.flatten(), name));
            fields.len() - 1
        });
        object(&mut fields[position])
    }

    fn position(&mut self, section: Option<&str>, name: &str) -> Option<usize> {
        let section_id = section.map(|section| section_id(&self.value, section));
        let fields = list(&mut self.value, "fields");
        let is_meant = |field: &Value, member: &str| {
            field.get(member).and_then(Value::as_str) == Some(name)
                && same_section(
                    field,
                    section,
                    section_id.as_ref().and_then(Option::as_deref),
                )
        };
        ["id", "label"]
            .into_iter()
            .find_map(|member| fields.iter().position(|field| is_meant(field, member)))
    }

    /// The JSON to build from.
    pub(super) fn finish(mut self) -> Value {
        if self.is_skeleton {
            list(&mut self.value, "fields").retain(|field| {
                let is_empty = field.get("value").is_none_or(|value| value == "");
                !is_empty || field.get("purpose").is_some() || field.get("generate").is_some()
            });
        }
        std::mem::take(&mut self.value)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        item_json::wipe(&mut self.value);
    }
}

fn list<'a>(value: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    let member = object(value).entry(name).or_insert_with(|| json!([]));
    if !member.is_array() {
        *member = json!([]);
    }
    // The line above made it one.
    member.as_array_mut().expect("an array")
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("an object: made above")
}

/// The id of the section that is called so, if there is one with an id.
fn section_id(body: &Value, wanted: &str) -> Option<String> {
    let sections = body.get("sections").and_then(Value::as_array)?;
    let is_called = |section: &&Value| {
        ["id", "label"]
            .iter()
            .any(|member| section.get(*member).and_then(Value::as_str) == Some(wanted))
    };
    let id = sections.iter().find(is_called)?.get("id")?.as_str()?;
    Some(id.to_owned())
}

fn same_section(field: &Value, section: Option<&str>, id: Option<&str>) -> bool {
    let of_field = |member: &str| {
        field
            .pointer("/section")
            .and_then(|section| section.get(member)?.as_str())
            .filter(|text| !text.is_empty())
    };
    match section {
        None => of_field("id").is_none() && of_field("label").is_none(),
        Some(name) => {
            of_field("id").is_some_and(|found| Some(found) == id || found == name)
                || of_field("label") == Some(name)
        }
    }
}

/// A field with neither id nor section id: both are made where items are built.
fn new_field(section: Option<&str>, section_id: Option<String>, name: &str) -> Value {
    let mut field = match name {
        "notesPlain" if section.is_none() => {
            json!({ "id": name, "label": name, "type": "STRING", "purpose": "NOTES" })
        }
        "password" if section.is_none() => json!({ "id": name, "label": name }),
        _ => json!({ "label": name }),
    };
    let section = match (section, section_id) {
        (_, Some(id)) => Some(json!({ "id": id })),
        (Some(label), None) => Some(json!({ "label": label })),
        (None, None) => None,
    };
    if let Some(section) = section {
        object(&mut field).insert("section".into(), section);
    }
    field
}

#[cfg(test)]
mod tests {
    use sekisho_core::{
        id::VaultId,
        item::{Item, Purpose, build, draft::Draft},
        time::Timestamp,
    };

    use super::*;

    fn built(body: Body) -> Item {
        let rng = &mut SystemRng;
        let writing = build::Writing {
            vault: VaultId::generate(rng),
            now: Timestamp::from_seconds(1),
            editor: "EEEEEEEEEEEEEEEEEEEEEEEEEE",
        };
        build::create(Draft::parse(body.finish()).unwrap(), &writing, rng).unwrap()
    }

    fn assign(body: &mut Body, texts: &[&str]) {
        for text in texts {
            body.assign(&Assignment::parse(text).unwrap());
        }
    }

    /// EXPOSE: a test's own values.
    fn values(item: &Item) -> Vec<(String, String)> {
        let fields = item.fields.iter().filter_map(|field| {
            let value = field.value.as_ref().filter(|value| !value.is_empty())?;
            Some((
                field.label.clone().unwrap_or_default(),
                value.expose().to_owned(),
            ))
        });
        fields.collect()
    }

    #[test]
    fn built_in_fields_by_their_names() {
        let mut body = Body::of_category(Category::Login);
        assign(
            &mut body,
            &[
                "username=wendy",
                "password=p",
                "notes=n",
                "db.port[text]=1",
                "db.host=h",
            ],
        );
        body.add_urls(&["https://a".into(), "https://b".into()]);
        let item = built(body);
        // EXPOSE: a test's own value.
        let value = |purpose| {
            item.built_in(purpose)
                .and_then(|field| Some(field.value.as_ref()?.expose().to_owned()))
        };
        assert_eq!(value(Purpose::Username).as_deref(), Some("wendy"));
        assert_eq!(value(Purpose::Password).as_deref(), Some("p"));
        assert_eq!(value(Purpose::Notes).as_deref(), Some("n"));
        assert_eq!(item.sections.len(), 1, "one section for both");
        assert_eq!(
            item.fields[4].kind,
            FieldType::Concealed,
            "new and without a type"
        );
        assert!(item.urls[0].primary && !item.urls[1].primary);
    }

    #[test]
    fn a_category_brings_its_fields_and_empty_ones_go() {
        let mut body = Body::of_category(Category::Database);
        assign(&mut body, &["hostname=db", "password=p"]);
        let item = built(body);
        assert_eq!(
            values(&item),
            [
                ("server".into(), "db".into()),
                ("password".into(), "p".into())
            ]
        );
        assert_eq!(item.fields.len(), 3, "and the notes");
    }

    #[test]
    fn a_template_is_filled_by_id_label_and_section() {
        let mut body = Body::of_template(
            json!({"category":"SERVER","title":"t","sections":[{"id":"s","label":"Admin"}],
            "fields":[{"id":"x","label":"port","type":"STRING","section":{"id":"s"}},{"id":"y","label":"port","type":"STRING"}]}),
        );
        assign(&mut body, &["Admin.port=1", "port=2", "Admin.new[text]=3"]);
        let item = built(body);
        assert_eq!(values(&item).len(), 3);
        assert_eq!(
            (item.fields[0].id.as_str(), item.fields[1].id.as_str()),
            ("x", "y")
        );
        assert_eq!(item.sections.len(), 1);
        assert_eq!(item.fields[2].section.as_deref(), Some("s"));
    }

    #[test]
    fn a_generated_password_follows_the_recipe() {
        for category in [Category::Login, Category::Password, Category::Database] {
            let mut body = Body::of_category(category);
            body.generate_password(&"digits,12".parse().unwrap());
            let values = values(&built(body));
            assert_eq!(values.len(), 1);
            assert!(values[0].1.len() == 12 && values[0].1.bytes().all(|b| b.is_ascii_digit()));
        }
    }
}
