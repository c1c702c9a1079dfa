//! Builds the crate anew when a migration is added: the compiler sees only those that it knew.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
