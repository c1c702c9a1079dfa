//! Decodes a request, looks at it, and answers it: `cargo run --example decode_message`.

use cekr_iso8583::{CEKR87, FieldSet, Show, View, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A withdrawal of 50.00 EUR at a cashpoint, as it stands on the wire behind its frame.
    let message = b"0200\x72\x24\x44\x81\x00\xc0\x80\x00\
        1647617300000000110100000000000050001122101500000001301260110510206\
        408972ATM00001NLBATM000000001978";

    // Decoding checks every bound and digit once and copies nothing.
    let request = View::parse(&CEKR87, message).map_err(|damaged| damaged.error)?;
    println!("{}", request.describe(Show::Masked));

    // Typed values are read lazily; what is absent is `None`.
    let pan = request.pan().ok_or("DE 2 is missing")??;
    let amount = request.amount(4).ok_or("DE 4 is missing")?;
    println!("{} wants {amount} EUR, BIN {}\n", pan.masked(), pan.bin(6));

    // The answer copies what it echoes octet for octet and adds its own fields.
    let mti = request.mti().reply().ok_or("no request")?;
    let echo = FieldSet::of(&[2, 3, 4, 7, 11, 32, 41, 42, 49]);
    let mut buffer = [0; 512];
    let mut reply = Writer::reply(&request, mti, echo, FieldSet::of(&[39]), &mut buffer)?;
    reply.text(39, b"51")?;
    let len = reply.finish()?;

    let reply = View::parse(&CEKR87, &buffer[..len]).map_err(|damaged| damaged.error)?;
    println!("{}", reply.describe(Show::Masked));

    // A message cut short says where, and still shows what came before.
    if let Err(damaged) = View::parse(&CEKR87, &message[..40]) {
        println!("{}", damaged.describe(Show::Masked).json());
    }
    Ok(())
}
