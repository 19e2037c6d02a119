//! The server's side of SRP-6a as the service has it (op-account.md §C.2), over the 4096-bit group of RFC 3526 §5.

use num_bigint::BigUint;

use crate::crypto::{b64, hmac, random, sha256};

const N: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD\
EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F\
24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED52907\
7096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF69558\
17183995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D\
B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200CBBE1\
17577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D788719A10BDBA5B2699C32718\
6AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6287C59474E6BC05D99B2964FA090C3A2233BA186515B\
E7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA993B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF";

fn modulus() -> BigUint {
    BigUint::parse_bytes(N.as_bytes(), 16).unwrap()
}

fn generator() -> BigUint {
    BigUint::from(5u8)
}

/// 512 bytes, big-endian.
fn padded(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 512 - bytes.len()], bytes].concat()
}

/// What the service knows of a token.
pub(crate) struct Verifier {
    x: BigUint,
    v: BigUint,
}

impl Verifier {
    pub(crate) fn generate() -> Self {
        let mut bytes = random(32);
        bytes[0] &= 0x7f;
        let x = BigUint::from_bytes_be(&bytes);
        let v = generator().modpow(&x, &modulus());
        Self { x, v }
    }

    pub(crate) fn x_hex(&self) -> String {
        format!("{:0>64}", self.x.to_str_radix(16))
    }
}

/// A session: from its beginning to its key.
#[derive(Clone, Default)]
pub(crate) struct Session {
    key: Option<Vec<u8>>,
    proof: Vec<u8>,
    a: Vec<u8>,
}

impl Session {
    /// Step 2: the client's public number in, the server's out, both in hex.
    pub(crate) fn exchange(
        &mut self,
        verifier: &Verifier,
        identity: (&str, &str),
        salt: &[u8],
        a_hex: &str,
    ) -> Option<String> {
        let n = modulus();
        let a = BigUint::parse_bytes(a_hex.as_bytes(), 16)?;
        let hash = |parts: &[&[u8]]| BigUint::from_bytes_be(&sha256(parts));
        let k = hash(&[&padded(&n), &padded(&generator())]);
        let secret = BigUint::from_bytes_be(&random(32));
        let b = (k * &verifier.v + generator().modpow(&secret, &n)) % &n;
        let u = hash(&[&padded(&a), &padded(&b)]);
        let shared = (&a * verifier.v.modpow(&u, &n) % &n).modpow(&secret, &n);
        let key = sha256(&[shared.to_str_radix(16).as_bytes()]);
        let (key_id, email) = identity;
        let who = b64(&sha256(&[
            &sha256(&[key_id.as_bytes()]),
            &sha256(&[email.to_lowercase().as_bytes()]),
        ]));
        let n_hash = sha256(&[&n.to_bytes_be()]);
        let g_hash = sha256(&[&generator().to_bytes_be()]);
        let mixed: Vec<u8> = n_hash.iter().zip(&g_hash).map(|(n, g)| n ^ g).collect();
        let (a, b) = (a.to_bytes_be(), b.to_bytes_be());
        self.proof = sha256(&[&mixed, &sha256(&[who.as_bytes()]), salt, &a, &b, &key]);
        self.key = Some(key);
        self.a = a;
        let hex = b.iter().map(|byte| format!("{byte:02x}"));
        Some(hex.collect())
    }

    /// Step 3: the client's proof in, the server's out.
    pub(crate) fn confirm(&self, proof: &[u8]) -> Option<String> {
        let key = self.key.as_ref()?;
        (proof == self.proof).then(|| b64(&sha256(&[&self.a, &self.proof, key])))
    }

    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    /// Whether a request's MAC is this session's.
    pub(crate) fn vouches(&self, id: &str, method: &str, place: &str, mac: &str) -> bool {
        let Some(key) = &self.key else { return false };
        let mut parts = mac.split('|');
        let (_, Some(number), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let mac_key = hmac(
            key,
            b"He never wears a Mac, in the pouring rain. Very strange.",
        );
        let message = format!("{id}|{method}|{place}|v1|{number}");
        b64(&hmac(&mac_key, message.as_bytes())[..12]) == signature
    }
}
