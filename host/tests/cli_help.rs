//! Help texts and refusals, to the letter. `TRYCMD=overwrite cargo test --test cli_help` writes them anew.

#[test]
fn help_and_refusals() {
    let empty = tempfile::tempdir().expect("a directory for a test");
    trycmd::TestCases::new()
        .env("SEKISHO_DATA_DIR", "/nonexistent/sekisho")
        .env("HOME", empty.path().display().to_string())
        .env("COLUMNS", "100")
        .case("tests/cli/*.trycmd");
}
