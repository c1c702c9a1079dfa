//! A withdrawal against a switch in this process: octets in, octets out, no socket.

use cekr_iso8583::{CEKR87, FieldSet, Framing, Mti, View, Writer};
use cekr_issuer::{LocalDate, Now};
use cekr_switch::engine::{Link, MacRule, Outgoing};
use cekr_switch::fuzzing::small_engine;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // One card, 4761730000000011, with 100.00 euros and every tick.
    let engine = small_engine();
    let link =
        Link { id: 0, spec: &CEKR87, framing: Framing::None, octets_max: 4_096, mac: MacRule::Off };

    let fields = FieldSet::of(&[2, 3, 4, 7, 11, 18, 22, 25, 32, 41, 43, 49]);
    let mut message = [0; 512];
    let mut writer = Writer::new(&CEKR87, Mti::new(200).ok_or("0200")?, fields, &mut message)?;
    writer.number(2, 4_761_730_000_000_011)?;
    writer.number(3, 10_000)?; // 010000: cash
    writer.number(4, 50_00)?;
    writer.number(7, 1_122_101_500)?;
    writer.number(11, 1)?;
    writer.number(18, 6_011)?;
    writer.number(22, 51)?;
    writer.number(25, 2)?;
    writer.number(32, 408_972)?;
    writer.text(41, b"ATM00001")?;
    writer.text(43, b"NLB KOROSKA CESTA 1       KRANJ       SI")?;
    writer.text(49, b"978")?;
    let len = writer.finish()?;

    let now = Now { unix_ms: 1_795_345_200_000, local_date: LocalDate::new(2026, 11, 22) };
    let mut out = Outgoing::default();
    engine.handle_read(&link, message.get(..len).unwrap_or_default(), now, &mut out)?;

    let reply = View::parse(&CEKR87, out.bytes()).map_err(|damaged| damaged.error)?;
    let code = reply.response_code().map(|code| code.to_string()).unwrap_or_default();
    let fee = reply.amount(8).map(|fee| fee.to_string()).unwrap_or_default();
    println!("0210: response code {code}, fee {fee}");
    Ok(())
}
