//! An OpenID Connect provider on a free port, which says whatever a test wants it to say.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cekr_switch::sync::Mutex;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tls::Authority;

/// A provider. Its thread ends with the test's process.
#[derive(Clone)]
pub struct Provider {
    pub url: String,
    key: SigningKey,
    grants: Arc<Mutex<BTreeMap<String, Grant>>>,
    questions: Arc<Mutex<Questions>>,
}

/// Questions for people's devices (CIBA), and what comes of them.
#[derive(Default)]
pub struct Questions {
    /// Each as it came.
    pub asked: Vec<BTreeMap<String, String>>,
    /// What is said to each look at any of them, one after the other; the last one stays.
    pub turns: Vec<(u16, Value)>,
    /// How often was looked.
    pub looks: usize,
    /// Whether questions are taken at all.
    pub refuses: bool,
}

/// What a code stands for.
#[derive(Clone)]
struct Grant {
    challenge: String,
    token: String,
}

/// What the website asked, out of the address that it sent the browser to.
pub struct Asked(pub BTreeMap<String, String>);

impl Asked {
    pub fn of(address: &str) -> Asked {
        let (_, query) = address.split_once('?').unwrap();
        Asked(fields(query))
    }
}

impl Provider {
    pub fn start() -> Provider {
        Provider::listen(None)
    }

    /// One with TLS, by a certificate of this authority.
    pub fn start_tls(authority: &Authority) -> Provider {
        Provider::listen(Some(authority.clone()))
    }

    fn listen(authority: Option<Authority>) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match authority {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let (grants, questions) = (Arc::default(), Arc::default());
        let provider = Provider { url, key: key(), grants, questions };
        let serving = provider.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                match &authority {
                    Some(authority) => serving.serve(authority.serve(stream.unwrap())),
                    None => serving.serve(stream.unwrap()),
                }
            }
        });
        provider
    }

    /// Claims that answer `asked` truly, at this moment.
    pub fn claims(&self, asked: &Asked, sub: &str, level: &str, now_ms: u64) -> Value {
        let now_s = now_ms / 1_000;
        json!({"iss": self.url, "aud": asked.0["client_id"], "sub": sub, "nonce": asked.0["nonce"],
            "iat": now_s, "exp": now_s + 300, "auth_time": now_s, "acr": level})
    }

    /// A code for these claims, signed by this provider.
    pub fn grant(&self, asked: &Asked, claims: &Value) -> String {
        self.grant_token(asked, self.signed(&json!({"alg": "ES256", "kid": "k"}), claims))
    }

    /// A code for this token.
    pub fn grant_token(&self, asked: &Asked, token: String) -> String {
        assert_eq!(asked.0["code_challenge_method"], "S256");
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).unwrap();
        let code = URL_SAFE_NO_PAD.encode(octets);
        let grant = Grant { challenge: asked.0["code_challenge"].clone(), token };
        self.grants.lock().insert(code.clone(), grant);
        code
    }

    /// A token under this provider's key.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        signed(&self.key, header, claims)
    }

    fn serve(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        // Who does not believe the certificate breaks off.
        if reader.read_line(&mut first).unwrap_or_default() == 0 {
            return;
        }
        let mut octets = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                octets = length.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; octets];
        reader.read_exact(&mut body).unwrap();
        let path = first.split(' ').nth(1).unwrap();
        let (status, answer) = self.answer(path, &String::from_utf8(body).unwrap());
        let text = answer.to_string();
        let mut stream = reader.into_inner();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.flush().unwrap();
    }

    fn answer(&self, path: &str, body: &str) -> (u16, Value) {
        match path {
            "/.well-known/openid-configuration" => (200, self.description()),
            "/jwks" => (200, json!({"keys": [jwk(&self.key)]})),
            "/token" if body.contains("grant-type%3Aciba") => self.turn(&fields(body)),
            "/token" => self.token(&fields(body)),
            "/question" => self.question(fields(body)),
            _ => (404, json!({})),
        }
    }

    /// What was asked of people's devices.
    pub fn questions(&self) -> impl std::ops::DerefMut<Target = Questions> + '_ {
        self.questions.lock()
    }

    fn question(&self, asked: BTreeMap<String, String>) -> (u16, Value) {
        let mut questions = self.questions.lock();
        if questions.refuses {
            return (400, json!({"error": "unknown_user_id"}));
        }
        questions.asked.push(asked);
        let request = format!("request {}", questions.asked.len());
        (200, json!({"auth_req_id": request, "expires_in": 300, "interval": 1}))
    }

    fn turn(&self, asked: &BTreeMap<String, String>) -> (u16, Value) {
        assert!(asked["auth_req_id"].starts_with("request "), "{asked:?}");
        let mut questions = self.questions.lock();
        questions.looks += 1;
        match questions.turns.len() {
            0 => (400, json!({"error": "authorization_pending"})),
            1 => questions.turns[0].clone(),
            _ => questions.turns.remove(0),
        }
    }

    fn token(&self, asked: &BTreeMap<String, String>) -> (u16, Value) {
        let grant = self.grants.lock().remove(&asked["code"]);
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(asked["code_verifier"].as_bytes()));
        match grant {
            Some(grant) if grant.challenge == proof => {
                (200, json!({"access_token": "a", "token_type": "Bearer", "id_token": grant.token}))
            }
            Some(_) | None => (400, json!({"error": "invalid_grant"})),
        }
    }

    fn description(&self) -> Value {
        json!({
            "issuer": self.url,
            "authorization_endpoint": format!("{}/authorize", self.url),
            "token_endpoint": format!("{}/token", self.url),
            "jwks_uri": format!("{}/jwks", self.url),
            "backchannel_authentication_endpoint": format!("{}/question", self.url),
            "backchannel_token_delivery_modes_supported": ["poll"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }
}

/// A token under somebody else's key.
pub fn forged(claims: &Value) -> String {
    signed(&key(), &json!({"alg": "ES256", "kid": "k"}), claims)
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature: Signature = key.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn key() -> SigningKey {
    let mut octets = [0; 32];
    getrandom::fill(&mut octets).unwrap();
    SigningKey::from_slice(&octets).unwrap()
}

fn jwk(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = (&point.as_bytes()[1..33], &point.as_bytes()[33..]);
    json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
}

/// Names and values of a query or a form.
fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), plain(value))).collect()
}

fn plain(value: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(octets).unwrap()
}
