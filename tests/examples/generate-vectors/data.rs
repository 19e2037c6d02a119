//! Sealed items and vaults, file chunks, title marks.

use sekisho_core::{
    file::{FileEntry, FileKey},
    id::{FileId, ItemId, VaultId},
    seal::{self, Kind, Place},
    vault::TitleIndex,
};
use sekisho_tests::{
    rng::labelled,
    vectors::{Vector, to_hex},
};
use serde_json::json;

use crate::{Family, NO, key_of, rng};

pub(crate) fn sealed(all: &mut Vec<Vector>) {
    let rng = &mut rng("sealed");
    let (vault, item) = (VaultId::generate(rng), ItemId::generate(rng));
    let (key, bytes) = key_of("sealed", 3);
    let kinds = [
        (Kind::Overview, "overview"),
        (Kind::Details, "details"),
        (Kind::Extra, "extra"),
        (Kind::Files, "files"),
    ];
    for (kind, word) in kinds {
        let plain = format!("the {word} of an item").into_bytes();
        let sealed = seal::seal(&key, &Place::item(kind, vault, item, 7), &plain, rng);
        let headers = [
            ("kind", word.to_owned()),
            ("vault", vault.to_string()),
            ("item", item.to_string()),
            ("version", "7".into()),
            ("generation", "3".into()),
            ("key", to_hex(&bytes)),
            ("plaintext", to_hex(&plain)),
        ];
        Family::of(all, "sealed", word, &headers, sealed.into_bytes()).good("opens");
    }
    let plain = br#"{"name":"Demo"}"#;
    let sealed_vault = seal::seal(&key, &Place::vault(vault, 2), plain, rng).into_bytes();
    let headers = [
        ("kind", "vault".to_owned()),
        ("vault", vault.to_string()),
        ("version", "2".into()),
        ("generation", "3".into()),
        ("key", to_hex(&bytes)),
        ("plaintext", to_hex(plain)),
    ];
    Family::of(all, "sealed", "vault", &headers, sealed_vault)
        .good("opens")
        .with(
            "rolled-back",
            NO,
            "the attributes of version 2 under version 1",
            "version",
            1,
        );
    let sealed =
        seal::seal(&key, &Place::item(Kind::Details, vault, item, 7), b"", rng).into_bytes();
    let headers = [
        ("kind", "details".to_owned()),
        ("vault", vault.to_string()),
        ("item", item.to_string()),
        ("version", "7".into()),
        ("generation", "3".into()),
        ("key", to_hex(&bytes)),
        ("plaintext", String::new()),
    ];
    let other = to_hex(&key_of("sealed other", 3).1);
    Family::of(all, "sealed", "empty", &headers, sealed)
        .good("opens")
        .with(
            "other-item",
            NO,
            "moved to another item",
            "item",
            ItemId::generate(rng),
        )
        .with(
            "other-vault",
            NO,
            "moved to another vault",
            "vault",
            VaultId::generate(rng),
        )
        .with(
            "rolled-back",
            NO,
            "handed out as an older version",
            "version",
            6,
        )
        .with(
            "put-forward",
            NO,
            "handed out as a newer version",
            "version",
            8,
        )
        .with(
            "other-kind",
            NO,
            "the details as the overview",
            "kind",
            "overview",
        )
        .with(
            "other-key",
            NO,
            "another key of the same generation",
            "key",
            other,
        )
        .with(
            "other-generation",
            NO,
            "the same key as another generation",
            "generation",
            4,
        )
        .bytes("flipped-version", NO, "byte 0", |b| b[0] ^= 2)
        .bytes("flipped-kind", NO, "byte 1", |b| b[1] ^= 1)
        .bytes("flipped-generation", NO, "byte 5", |b| b[5] ^= 1)
        .bytes("flipped-nonce", NO, "byte 6", |b| b[6] ^= 0x80)
        .bytes("flipped-tag", NO, "the last byte", |b| {
            *b.last_mut().unwrap() ^= 1
        })
        .bytes("truncated", NO, "one byte too few", |b| {
            b.pop();
        })
        .bytes("extended", NO, "one byte too many", |b| b.push(0))
        .bytes("header-only", NO, "nothing but the header", |b| {
            b.truncate(18)
        })
        .bytes("nothing", NO, "no byte at all", Vec::clear);
}

pub(crate) fn file_chunks(all: &mut Vec<Vector>) {
    use sekisho_core::file::{FilePlace, seal_chunk};
    let rng = &mut rng("file");
    let (vault, item) = (VaultId::generate(rng), ItemId::generate(rng));
    let entry = json!({ "id": FileId::generate(rng), "name": "a.txt", "size": 10, "key": FileKey::generate(rng), "chunkSize": 4 });
    let entry: FileEntry = serde_json::from_value(entry).unwrap();
    let place = FilePlace {
        vault,
        item,
        file: entry.id,
    };
    let content = b"0123456789";
    let chunk = |index: u32| {
        let (from, to) = (
            index as usize * 4,
            content.len().min(index as usize * 4 + 4),
        );
        (
            seal_chunk(
                &entry.key,
                &place,
                entry.position(index).unwrap(),
                &content[from..to],
            ),
            to_hex(&content[from..to]),
        )
    };
    let text = |change: &dyn Fn(&mut FileEntry)| {
        let mut entry = entry.clone();
        change(&mut entry);
        serde_json::to_string(&entry).unwrap()
    };
    let headers = |index: u32| {
        [
            ("entry", text(&|_| {})),
            ("vault", vault.to_string()),
            ("item", item.to_string()),
            ("index", index.to_string()),
            ("plaintext", chunk(index).1),
        ]
    };
    let other_key = FileKey::generate(rng);
    Family::of(all, "file-chunk", "first", &headers(0), chunk(0).0)
        .good("opens")
        .with("reordered", NO, "chunk 0 as chunk 1", "index", 1)
        .with(
            "as-last",
            NO,
            "a middle chunk as the end of a shorter file",
            "entry",
            text(&|e| e.size = 4),
        )
        .with(
            "other-file",
            NO,
            "another file's chunk",
            "entry",
            text(&|e| e.id = FileId::generate(&mut labelled("x"))),
        )
        .with(
            "other-item",
            NO,
            "another item's file",
            "item",
            ItemId::generate(rng),
        )
        .with(
            "other-vault",
            NO,
            "another vault's file",
            "vault",
            VaultId::generate(rng),
        )
        .with(
            "other-key",
            NO,
            "another key",
            "entry",
            text(&|e| e.key = other_key.clone()),
        )
        .with(
            "other-size",
            NO,
            "chunks of another size",
            "entry",
            text(&|e| {
                e.chunk_size = 5;
                e.size = 12;
            }),
        )
        .with(
            "no-chunk-size",
            NO,
            "a damaged entry",
            "entry",
            text(&|e| e.chunk_size = 0),
        )
        .bytes("flipped", NO, "byte 0", |b| b[0] ^= 1)
        .bytes("truncated", NO, "one byte too few", |b| {
            b.pop();
        });
    Family::of(all, "file-chunk", "last", &headers(2), chunk(2).0)
        .good("opens")
        .with(
            "as-middle",
            NO,
            "the end as a middle chunk of a longer file",
            "entry",
            text(&|e| e.size = 16),
        )
        .with(
            "past-end",
            NO,
            "a chunk that the file does not have",
            "index",
            3,
        )
        .with(
            "other-length",
            NO,
            "the entry says one byte less",
            "entry",
            text(&|e| e.size = 9),
        );
}

pub(crate) fn title_marks(all: &mut Vec<Vector>) {
    let (key, bytes) = key_of("title", 1);
    let index = TitleIndex::derive(&key);
    let other = to_hex(&key_of("title other", 1).1);
    let headers = |form: &str, title: &str| {
        [
            ("key", to_hex(&bytes)),
            ("generation", "1".to_owned()),
            ("form", form.to_owned()),
            ("title", to_hex(title.as_bytes())),
        ]
    };
    let hex = |text: &str| to_hex(text.as_bytes());
    Family::of(
        all,
        "title-mark",
        "exact",
        &headers("exact", "Caf\u{e9}"),
        index.exact("Caf\u{e9}").0.to_vec(),
    )
    .good("equal")
    .with(
        "decomposed",
        "equal",
        "the same letters, decomposed",
        "title",
        hex("Cafe\u{301}"),
    )
    .with(
        "other-case",
        "different",
        "another case",
        "title",
        hex("CAF\u{c9}"),
    )
    .with(
        "other-form",
        "different",
        "the other form",
        "form",
        "folded",
    )
    .with("other-key", "different", "another vault", "key", other)
    .with(
        "other-title",
        "different",
        "one more blank",
        "title",
        hex("Caf\u{e9} "),
    );
    Family::of(
        all,
        "title-mark",
        "folded",
        &headers("folded", "Straße"),
        index.folded("Straße").0.to_vec(),
    )
    .good("equal")
    .with("upper", "equal", "in capitals", "title", hex("STRASSE"))
    .with("other-form", "different", "the other form", "form", "exact");
    Family::of(
        all,
        "title-mark",
        "empty",
        &headers("exact", ""),
        index.exact("").0.to_vec(),
    )
    .good("equal");
}
