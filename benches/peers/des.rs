//! Our triple DES beside OpenSSL's, in one run: read the ratio, not the nanoseconds.
//!
//! Run it with `cargo bench --manifest-path benches/peers/Cargo.toml --bench des`; it links to the
//! system's OpenSSL. One iteration enciphers 1,024 blocks one after the other under a schedule that
//! stands ready, in a chain, where each block waits for the one before it as in every MAC. OpenSSL
//! offers DES by its EVP calls alone, whose cost a long input hides; both must have written the
//! same.

use std::hint::black_box;

use cekr_emv::crypto::des::TripleDes;
use criterion::{Criterion, criterion_group, criterion_main};
use openssl::symm::{Cipher, Crypter, Mode};

const KEY: &[u8; 24] = b"CEKRDES1CEKRDES2CEKRDES1";
const BLOCKS: usize = 1_024;

fn chain(c: &mut Criterion) {
    let input = [0x5A; BLOCKS * 8];
    let mut theirs = vec![0; BLOCKS * 8 + 8];
    let mut crypter = Crypter::new(Cipher::des_ede3_cbc(), Mode::Encrypt, KEY, Some(&[0; 8]))
        .expect("OpenSSL with triple DES");
    crypter.pad(false);
    let ours = TripleDes::with_three_parts(KEY);
    crypter.update(&input, &mut theirs).expect("whole blocks");
    assert_eq!(theirs.get(BLOCKS * 8 - 8..BLOCKS * 8), Some(&last_of(&ours, &input)[..]));
    let mut group = c.benchmark_group("triple_des_chain_1024");
    group.bench_function("cekr", |b| b.iter(|| last_of(&ours, black_box(&input))));
    group.bench_function("openssl", |b| {
        b.iter(|| crypter.update(black_box(&input), &mut theirs).expect("whole blocks"));
    });
    group.finish();
}

fn last_of(cipher: &TripleDes, input: &[u8]) -> [u8; 8] {
    input.as_chunks().0.iter().fold([0; 8], |chain, block| {
        let mixed = u64::from_be_bytes(chain) ^ u64::from_be_bytes(*block);
        cipher.encrypt(mixed.to_be_bytes())
    })
}

criterion_group!(des, chain);
criterion_main!(des);
