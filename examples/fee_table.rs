//! What cash costs: the fee of some withdrawals, and its share of them.

use cekr_issuer::{Amount, fee};

fn main() {
    println!("{:>12} {:>10} {:>8}", "withdrawal", "fee", "share");
    for euros in [5, 10, 20, 50, 100, 200, 300, 500, 1_000] {
        let base = Amount::from_minor(euros * 100);
        let fee = fee::cashpoint(base);
        // In tenths of a percent, so that no float touches money.
        let share = fee.minor() * 1_000 / base.minor();
        println!(
            "{:>12} {:>10} {:>6}.{} %",
            base.to_string(),
            fee.to_string(),
            share / 10,
            share % 10
        );
    }
    let available = Amount::from_minor(100_00);
    println!("\n{available} euros allow a withdrawal of {}", fee::withdrawal_max(available));
}
