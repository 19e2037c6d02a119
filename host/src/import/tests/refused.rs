//! What is refused, and as what.

use super::*;

#[test]
fn refuses_what_is_no_export() {
    let folder = TempDir::new().unwrap();
    assert!(matches!(
        read(&folder.path().join("none"), &Limits::default()),
        Err(ImportError::Unreadable(_))
    ));
    assert!(matches!(
        read(folder.path(), &Limits::default()),
        Err(ImportError::Unreadable(_))
    ));
    assert!(matches!(read_bytes(b""), Err(ImportError::NotAnArchive)));
    assert!(matches!(
        read_bytes(b"{\"accounts\": []}"),
        Err(ImportError::NotAnArchive)
    ));
    assert!(matches!(
        read_bytes(&archive_of(&[])),
        Err(ImportError::NoData)
    ));
    assert!(matches!(
        read_bytes(&archive_of(&[("other", EMPTY)])),
        Err(ImportError::NoData)
    ));
    assert!(read_bytes(&archive_of(&[("export.data", EMPTY)])).is_ok());
    assert!(
        read_bytes(&archive_of(&[(
            "export.data",
            b"\xEF\xBB\xBF{\"accounts\": []}"
        )]))
        .is_ok()
    );
}

#[test]
fn refuses_wrong_structure() {
    let shape = |text: &str| match read_bytes(&archive_of(&[("export.data", text.as_bytes())])) {
        Err(ImportError::Shape { at }) => at,
        other => panic!("{other:?}"),
    };
    assert_eq!(shape("[]"), "the top");
    assert_eq!(shape("{}"), "accounts");
    assert_eq!(
        shape(r#"{"accounts": [{"vaults": {}}]}"#),
        "accounts[0].vaults"
    );
    assert_eq!(
        shape(r#"{"accounts": [{"vaults": [{"items": 1}]}]}"#),
        "accounts[0].vaults[0].items"
    );
    assert_eq!(
        shape(r#"{"accounts": [{"vaults": [{"items": [{"details": []}]}]}]}"#),
        "accounts[0].vaults[0].items[0].details"
    );
    let bad = |bytes: &[u8]| read_bytes(&archive_of(&[("export.data", bytes)])).err();
    assert!(matches!(
        bad(b"{\"accounts\": [\xff]}"),
        Some(ImportError::BadJson { .. })
    ));
    assert!(matches!(bad(b""), Some(ImportError::BadJson { .. })));
    assert!(matches!(
        bad(&[b'['; 100_000]),
        Some(ImportError::TooDeep { limit: 64 })
    ));
    let brackets_in_text = br#"{"accounts": [], "x": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#;
    assert!(bad(brackets_in_text).is_none());
}

#[test]
fn refuses_a_damaged_archive() {
    let whole = pack(
        &[("export.data", EMPTY.repeat(500).as_slice())],
        zip::CompressionMethod::Deflated,
    );
    for length in [10, whole.len() / 2, whole.len() - 1] {
        assert!(
            matches!(
                read_bytes(&whole[..length]),
                Err(ImportError::BrokenArchive)
            ),
            "{length}"
        );
    }
    let mut flipped = archive_of(&[("export.data", EMPTY)]);
    replace(&mut flipped, b"accounts", b"accountz");
    assert!(matches!(
        read_bytes(&flipped),
        Err(ImportError::Checksum { entry: 1 })
    ));
    let mut longer = archive_of(&[("export.data", EMPTY)]);
    let at = header(&longer, 0) + 24;
    longer[at] += 1;
    assert!(matches!(
        read_bytes(&longer),
        Err(ImportError::Truncated { entry: 1 })
    ));
    let mut garbled = whole;
    garbled[30 + 11..30 + 21].fill(0xff);
    assert!(matches!(
        read_bytes(&garbled),
        Err(ImportError::Truncated { entry: 1 })
    ));
}

#[test]
fn refuses_a_damaged_file_of_an_item() {
    let sample = fixture::sample(&canary);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sample.1pux");
    fixture::write(&path, &sample).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = header(&bytes, 3) + 16;
    bytes[at] ^= 1;
    assert!(matches!(
        read_bytes(&bytes),
        Err(ImportError::Checksum { entry: 4 })
    ));
}

#[test]
fn refuses_unsafe_paths() {
    for name in [
        "../x",
        "files/../../x",
        "/etc/x",
        "files\\x",
        "C:x",
        "files/..",
    ] {
        let bytes = archive_of(&[("export.data", EMPTY), (name, b"x")]);
        assert!(
            matches!(
                read_bytes(&bytes),
                Err(ImportError::UnsafePath { entry: 2 })
            ),
            "{name}"
        );
    }
    assert!(
        read_bytes(&archive_of(&[
            ("export.data", EMPTY),
            ("files/a__..b", b"x")
        ]))
        .is_ok()
    );
}

#[test]
fn refuses_odd_entries() {
    let mut twice = archive_of(&[("export.data", EMPTY), ("export.datb", EMPTY)]);
    replace(&mut twice, b"export.datb", b"export.data");
    assert!(matches!(
        read_bytes(&twice),
        Err(ImportError::DuplicateEntry)
    ));
    let mut locked = archive_of(&[("export.data", EMPTY)]);
    let at = header(&locked, 0) + 8;
    locked[at] |= 1;
    assert!(matches!(
        read_bytes(&locked),
        Err(ImportError::Encrypted { entry: 1 })
    ));
    assert!(matches!(
        read_bytes(&archive_of(&[("export.data/", b"")])),
        Err(ImportError::NotAFile { entry: 1 })
    ));
    let mut method = archive_of(&[("export.data", EMPTY)]);
    let at = header(&method, 0) + 10;
    method[at] = 12;
    assert!(matches!(
        read_bytes(&method),
        Err(ImportError::Unsupported { entry: 1 })
    ));
    let mut overlap = archive_of(&[("export.data", EMPTY), ("export.datb", EMPTY)]);
    let (first, second) = (header(&overlap, 0) + 42, header(&overlap, 1) + 42);
    overlap.copy_within(first..first + 4, second);
    assert!(matches!(read_bytes(&overlap), Err(ImportError::Overlap)));
}

#[test]
fn refuses_a_directory_in_place_of_a_file() {
    let mut sample = fixture::sample(&canary);
    let (name, content) = &mut sample.files[0];
    name.push('/');
    content.clear();
    assert!(matches!(
        read_sample(&sample),
        Err(ImportError::NotAFile { .. })
    ));
}

#[test]
fn refuses_bombs() {
    let zeros = vec![0; 10 << 20];
    let bomb = pack(
        &[("export.data", EMPTY), ("files/x", &zeros)],
        zip::CompressionMethod::Deflated,
    );
    assert!(matches!(
        read_bytes(&bomb),
        Err(ImportError::Ratio {
            entry: 2,
            limit: 200
        })
    ));
    let plain = archive_of(&[("export.data", EMPTY), ("files/x", b"123")]);
    let what = |limits: Limits| match read_limited(&plain, &limits) {
        Err(ImportError::TooLarge { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    let limits = Limits::default();
    assert_eq!(
        what(Limits {
            archive_bytes: 10,
            ..limits
        }),
        Oversized::Archive
    );
    assert_eq!(
        what(Limits {
            data_bytes: 10,
            ..limits
        }),
        Oversized::Data
    );
    assert_eq!(
        what(Limits {
            file_bytes: 2,
            ..limits
        }),
        Oversized::Entry(2)
    );
    assert_eq!(
        what(Limits {
            total_bytes: 18,
            ..limits
        }),
        Oversized::Total
    );
    let many = read_limited(
        &plain,
        &Limits {
            entries: 1,
            ..limits
        },
    );
    assert!(matches!(
        many,
        Err(ImportError::TooManyEntries {
            entries: 2,
            limit: 1
        })
    ));
}
