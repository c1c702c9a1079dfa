//! A passkey in software for the demo's holder: one ES256 key for one website, its person verified.
//!
//! It gives what a browser's `navigator.credentials` would give, for options and answers in JSON.
//! Sources: W3C Web Authentication Level 3, sections 5.8.1 (client data), 6.1 (authenticator data)
//! and 6.5 (attestation); RFC 9052 for the key, RFC 8949 for its encoding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A passkey for the website at `origin`.
pub(crate) struct VirtualPasskey {
    key: SigningKey,
    id: [u8; 16],
    origin: String,
    user: String,
    uses: u32,
}

impl VirtualPasskey {
    /// Draws a key; `None` for the one draw in 2^32 that is none of the curve.
    pub(crate) fn draw(origin: &str) -> Option<VirtualPasskey> {
        let (mut secret, mut id) = ([0; 32], [0; 16]);
        cekr_switch::entropy::fill(&mut secret);
        cekr_switch::entropy::fill(&mut id);
        let key = SigningKey::from_slice(&secret).ok()?;
        Some(VirtualPasskey { key, id, origin: origin.to_owned(), user: String::new(), uses: 0 })
    }

    /// What `navigator.credentials.create` answers to these options.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.user = text(&options["user"]["id"]);
        let mut data = self.data(&text(&options["rp"]["id"]), WITH_KEY);
        // No model: a passkey says of itself only what it must.
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.id);
        data.extend(self.cose_key());
        let mut attestation = Vec::from(*b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58");
        // Always 180 octets: one octet says so.
        attestation.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
        attestation.extend(data);
        self.credential(json!({
            "attestationObject": encoded(&attestation),
            "clientDataJSON": encoded(&self.client("webauthn.create", options)),
            "transports": ["internal"],
        }))
    }

    /// What `navigator.credentials.get` answers to these options.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        self.uses += 1;
        let data = self.data(&text(&options["rpId"]), 0);
        let client = self.client("webauthn.get", options);
        let signed: Vec<u8> = data.iter().copied().chain(Sha256::digest(&client)).collect();
        let signature: Signature = self.key.sign(&signed);
        self.credential(json!({
            "authenticatorData": encoded(&data),
            "clientDataJSON": encoded(&client),
            "signature": encoded(signature.to_der().as_bytes()),
            "userHandle": self.user,
        }))
    }

    fn credential(&self, response: Value) -> Value {
        let id = encoded(&self.id);
        json!({
            "id": id, "rawId": id, "type": "public-key", "response": response,
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
        })
    }

    fn data(&self, rp_id: &str, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(rp_id).to_vec();
        data.push(PRESENT | VERIFIED | more);
        data.extend(self.uses.to_be_bytes());
        data
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let (challenge, origin) = (&options["challenge"], &self.origin);
        let said = json!({
            "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false,
        });
        said.to_string().into_bytes()
    }

    /// The public key as a COSE map: 1 kind EC2, 3 ES256, -1 P-256, -2 and -3 the point.
    fn cose_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_sec1_point(false);
        let coordinates = point.as_bytes().get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at_checked(32).unwrap_or_default();
        let head = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20";
        [head.as_slice(), x, b"\x22\x58\x20", y].concat()
    }
}

fn encoded(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Flags: somebody was there, was known to the device, and a key follows.
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const WITH_KEY: u8 = 0x40;

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    fn octets(value: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn it_signs_what_it_was_asked_and_counts() {
        let mut passkey = VirtualPasskey::draw("http://localhost:1").unwrap();
        let options = json!({"rpId": "localhost", "challenge": "abc"});
        for uses in 1..=2_u8 {
            let answer = passkey.get(&options)["response"].clone();
            let (data, client) =
                (octets(&answer["authenticatorData"]), octets(&answer["clientDataJSON"]));
            assert_eq!(data[32..], [PRESENT | VERIFIED, 0, 0, 0, uses]);
            let said: Value = serde_json::from_slice(&client).unwrap();
            assert_eq!(said["challenge"], "abc");
            assert_eq!(said["origin"], "http://localhost:1");
            let signed = [data, Sha256::digest(&client).to_vec()].concat();
            let signature = Signature::from_der(&octets(&answer["signature"])).unwrap();
            assert!(passkey.key.verifying_key().verify(&signed, &signature).is_ok());
        }
    }

    #[test]
    fn a_new_key_is_told_in_one_whole_object() {
        let mut passkey = VirtualPasskey::draw("http://localhost:1").unwrap();
        let options =
            json!({"rp": {"id": "localhost"}, "user": {"id": "dXNlcg"}, "challenge": "c"});
        let answer = passkey.create(&options);
        let object = octets(&answer["response"]["attestationObject"]);
        let head = object.len() - usize::from(object[29]);
        assert_eq!((head, object[head + 32]), (30, PRESENT | VERIFIED | WITH_KEY));
        let key = &object[head + 37 + 18 + 16..];
        assert_eq!((key.len(), key[0], key[10..42].len()), (77, 0xa5, 32));
        let asked = passkey.get(&json!({"rpId": "localhost", "challenge": "d"}));
        assert_eq!(asked["response"]["userHandle"], "dXNlcg");
    }
}
