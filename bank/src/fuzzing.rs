//! The body of the fuzz target `camt`: arbitrary octets as a bank's file.

use std::io::BufReader;

use crate::lines::{self, Doing};

/// Reads octets as a statement, whole and in pieces of a few octets.
///
/// # Panics
/// Where a promise is broken: the two differ, or a line is posted with an amount that is none.
pub fn camt(data: &[u8]) {
    let whole = lines::read(data);
    let in_pieces = lines::read(BufReader::with_capacity(7, data));
    let (whole, in_pieces) = match (whole, in_pieces) {
        (Ok(whole), Ok(in_pieces)) => (whole, in_pieces),
        (Err(whole), Err(in_pieces)) => {
            assert_eq!(whole.fault, in_pieces.fault, "a fault depends on how the file arrives");
            assert!(!whole.to_string().is_empty());
            return;
        }
        (whole, in_pieces) => {
            let both = (whole.map(|_| ()), in_pieces.map(|_| ()));
            assert!(matches!(both, (Ok(()), Ok(()))), "what is read depends on how it arrives");
            return;
        }
    };
    assert_eq!(whole.lines.len(), in_pieces.lines.len());
    for (line, same) in whole.lines.iter().zip(&in_pieces.lines) {
        match (&line.doing, &same.doing) {
            (Doing::Post { line: posted, .. }, Doing::Post { line: same, .. }) => {
                assert_eq!(posted.line, same.line, "a key depends on how the file arrives");
                assert!(!posted.amount.is_zero() && posted.amount == same.amount);
                assert!(posted.line.booked_on.packed() > 0);
            }
            (Doing::Ignore(why), Doing::Ignore(same)) => assert_eq!(why, same),
            (posted, same) => {
                let are_alike =
                    matches!(posted, Doing::Ignore(_)) == matches!(same, Doing::Ignore(_));
                assert!(are_alike, "what is done depends on how the file arrives");
            }
        }
    }
}
