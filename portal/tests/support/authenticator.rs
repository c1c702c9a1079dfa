//! A passkey's device in software: ES256, no attestation, and every way to be wrong.
//!
//! Source: W3C Web Authentication Level 3, sections 6.1 (authenticator data), 6.5.4 (attestation
//! object) and 5.8.1 (client data); RFC 9052 and 8949 for the key and its encoding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A device with one passkey for one website.
#[derive(Clone)]
pub struct Authenticator {
    /// The address that the browser shows.
    pub origin: String,
    /// Whether it says that it has verified the person.
    pub verifies: bool,
    /// Counts its uses.
    pub counter: u32,
    /// The id of the passkey.
    pub id: Vec<u8>,
    user: Vec<u8>,
    key: SigningKey,
}

impl Authenticator {
    pub fn new(origin: &str) -> Authenticator {
        let mut octets = [0; 32];
        getrandom::fill(&mut octets).unwrap();
        let mut id = vec![0; 32];
        getrandom::fill(&mut id).unwrap();
        // One in 2^32 draws is no key of this curve.
        let key = SigningKey::from_slice(&octets).unwrap();
        Authenticator {
            origin: origin.to_owned(),
            verifies: true,
            counter: 0,
            id,
            user: Vec::new(),
            key,
        }
    }

    /// Makes the passkey that `options` ask for, and the answer of `navigator.credentials.create`.
    pub fn create(&mut self, options: &Value) -> Value {
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        assert!(
            options["pubKeyCredParams"].as_array().unwrap().iter().any(|kind| kind["alg"] == -7)
        );
        self.user = decoded(&options["user"]["id"]);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), ATTESTED);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.id);
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = (&point.as_bytes()[1..33], &point.as_bytes()[33..]);
        // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
        data.extend_from_slice(&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend_from_slice(x);
        data.extend_from_slice(&[0x22, 0x58, 0x20]);
        data.extend_from_slice(y);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend_from_slice(b"fmt\x64none\x67attStmt\xa0\x68authData\x59");
        object.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend_from_slice(&data);
        let client = self.client("webauthn.create", &options["challenge"]);
        self.answer(json!({
            "attestationObject": encoded(&object), "clientDataJSON": encoded(client.as_bytes()),
            "transports": ["internal"],
        }))
    }

    /// The answer of `navigator.credentials.get`.
    pub fn get(&mut self, options: &Value) -> Value {
        assert_eq!(options["userVerification"], "required");
        self.counter += 1;
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let client = self.client("webauthn.get", &options["challenge"]);
        let mut signed = data.clone();
        signed.extend_from_slice(&Sha256::digest(client.as_bytes()));
        let signature: Signature = self.key.sign(&signed);
        self.answer(json!({
            "authenticatorData": encoded(&data), "clientDataJSON": encoded(client.as_bytes()),
            "signature": encoded(signature.to_der().as_bytes()), "userHandle": encoded(&self.user),
        }))
    }

    fn answer(&self, response: Value) -> Value {
        let id = encoded(&self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "response": response,
            "clientExtensionResults": {}, "authenticatorAttachment": "platform"})
    }

    fn data(&self, rp_id: &str, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(rp_id.as_bytes()).to_vec();
        data.push(PRESENT | more | if self.verifies { VERIFIED } else { 0 });
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    fn client(&self, kind: &str, challenge: &Value) -> String {
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false})
            .to_string()
    }
}

fn encoded(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn decoded(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;
