//! The same message through iso8583-core, whose format is built in and happens to be ours.

use iso8583_core::field::{Field, FieldValue};
use iso8583_core::message::ISO8583Message;

use crate::{Read, Reply};

pub(crate) fn parse(message: &[u8]) -> ISO8583Message {
    ISO8583Message::from_bytes(message).expect("a whole message")
}

pub(crate) fn read(message: &ISO8583Message) -> Option<Read> {
    let value = |field| message.get_field(field)?.as_string().map(str::as_bytes);
    Read::of_ascii(
        value(Field::PrimaryAccountNumber)?,
        value(Field::TransactionAmount)?,
        value(Field::SystemTraceAuditNumber)?,
        value(Field::CardAcceptorTerminalIdentification)?,
    )
}

pub(crate) fn reply(request: &ISO8583Message, reply: &Reply) -> Vec<u8> {
    let mut answer = ISO8583Message::new(request.mti.to_response().expect("a request"));
    let mut set = |de, value| {
        let field = Field::from_number(de).expect("an element");
        answer.set_field(field, value).expect("an element");
    };
    for de in reply.echo {
        let field = Field::from_number(de).expect("an element");
        set(de, request.get_field(field).expect("an element of the request").clone());
    }
    for (de, value) in reply.own {
        set(de, FieldValue::from_string(value));
    }
    answer.to_bytes()
}
