//! Our own echo: 0800 with DE 70 = 301 on a connection that has been silent.
//!
//! The answer needs no matching: any octet from the peer ends the silence, and a peer that stays
//! silent runs into the listener's idle time-out. Source: ISO 8583:1987, network management.

use std::rc::Rc;

use cekr_iso8583::{FieldSet, Header, Mti, WriteError, Writer};

use crate::clock::{Ticks, utc_transmission_time};
use crate::lane::Lane;
use crate::listener::Door;
use crate::session::Connection;

/// Sends an echo request to a silent peer.
pub(crate) fn send(connection: &Rc<Connection>, lane: &Lane, now: Ticks) {
    let mut room = [0; ECHO_OCTETS_MAX];
    let transmitted = utc_transmission_time(lane.clock.now().unix_ms);
    match encode(&connection.door, transmitted, connection.next_stan(), &mut room) {
        Ok(octets) => connection.send(room.get(..octets).unwrap_or_default(), lane, now),
        Err(error) => {
            // The dialect has no room for an echo: then its peers never get one.
            tracing::debug!(listener = &*connection.door.name, %error, "echo not encoded");
        }
    }
}

/// Writes frame and message; tells how many octets they take.
fn encode(door: &Door, transmitted: u32, stan: u32, room: &mut [u8]) -> Result<usize, WriteError> {
    let framing = door.link.framing;
    let (header, body) = room.split_at_mut(framing.header_len());
    let Some(mti) = Mti::new(NETWORK_REQUEST) else { return Ok(0) };
    let mut writer = Writer::new(door.link.spec, mti, FieldSet::of(&[7, 11, 70]), body)?;
    writer.number(7, u64::from(transmitted))?;
    writer.number(11, u64::from(stan))?;
    writer.number(70, ECHO_TEST)?;
    let message = writer.finish()?;
    match framing.write_header(Header::default(), message, header) {
        Ok(()) => Ok(framing.header_len() + message),
        Err(_) => Ok(0),
    }
}

const NETWORK_REQUEST: u16 = 800;
const ECHO_TEST: u64 = 301;
/// Frame header, MTI, two bitmaps and three short fields, in the widest encoding.
const ECHO_OCTETS_MAX: usize = 128;
