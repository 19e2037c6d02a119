//! Nothing leaks: reports, errors and Debug hold no text of the export.

use super::*;

#[test]
fn reports_and_debug_hold_no_text() {
    let archive = rich();
    let report = &archive.export().report;
    let export = archive.export();
    let texts = [
        report.to_string(),
        serde_json::to_string(report).unwrap(),
        format!("{report:?}"),
        format!(
            "{archive:?} {:?} {:?}",
            export.vaults, export.vaults[0].items
        ),
    ];
    for text in texts {
        assert!(!text.contains("canary"), "{text}");
        assert!(!text.contains("Related Items"));
    }
}

#[test]
fn errors_hold_no_text() {
    let mut sample = fixture::sample(&canary);
    sample.files.remove(0);
    let missing = read_sample(&sample).unwrap_err();
    assert!(
        matches!(&missing, ImportError::MissingFile { at } if at == "accounts[0].vaults[1].items[0]")
    );
    let shape = read_sample(&export_of(json!(["canary"]))).unwrap_err();
    assert!(matches!(&shape, ImportError::Shape { at } if at == "accounts[0].vaults[0].items[0]"));
    let json = read_bytes(&archive_of(&[(
        "export.data",
        br#"{"accounts": ["canary" "canary"]}"#,
    )]))
    .unwrap_err();
    assert!(matches!(
        json,
        ImportError::BadJson {
            line: 1,
            column: 24
        }
    ));
    for error in [missing, shape, json] {
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
