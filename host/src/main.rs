//! sekisho
fn main(){}
