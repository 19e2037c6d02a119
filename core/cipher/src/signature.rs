//! ECDSA on P-256 with SHA-256 (FIPS 186-5), named ES256 by RFC 7518 §3.4; signatures are `r ‖ s`, 64 bytes.

use p256::{
    AffinePoint,
    ecdsa::{
        Signature, SigningKey as P256SigningKey, VerifyingKey as P256VerifyingKey,
        signature::{Signer, Verifier},
    },
    elliptic_curve::point::AffineCoordinates,
};

use super::OpenError;
use crate::secret::SecretBytes;

/// Bytes of a signature.
pub const SIGNATURE_LENGTH: usize = 64;
/// Bytes of an uncompressed public point.
pub const POINT_LENGTH: usize = 65;

/// Signs; the scalar wipes itself.
pub struct SigningKey(P256SigningKey);

impl SigningKey {
    /// The key with this scalar; `None` for the 2^-32 of values that are no scalar.
    pub fn from_scalar(scalar: &SecretBytes<32>) -> Option<Self> {
        // EXPOSE: the scalar becomes the key.
        P256SigningKey::from_slice(scalar.expose()).ok().map(Self)
    }

    /// Deterministic nonce (RFC 6979): no random source to get wrong.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    /// The public point, uncompressed SEC1.
    pub fn point(&self) -> [u8; POINT_LENGTH] {
        let bytes = self.0.verifying_key().to_sec1_point(false);
        bytes.as_bytes().try_into().unwrap_or([0; POINT_LENGTH])
    }
}

/// Whether `point` is a point of the curve.
pub fn is_point(point: &[u8; POINT_LENGTH]) -> bool {
    key_at(point).is_some()
}

/// The key at an uncompressed point (SEC 1 §2.3.4). What reads the other forms too is 5 KB of the component.
fn key_at(point: &[u8; POINT_LENGTH]) -> Option<P256VerifyingKey> {
    const UNCOMPRESSED: u8 = 4;
    let (form, coordinates) = point.split_first()?;
    let (x, y) = coordinates.split_first_chunk::<32>()?;
    let y = y.first_chunk::<32>()?;
    // Checks that there is such a point.
    let at = AffinePoint::from_coordinates(&(*x).into(), &(*y).into()).into_option()?;
    let key = P256VerifyingKey::from_affine(at).ok()?;
    (*form == UNCOMPRESSED).then_some(key)
}

/// Checks a signature under an uncompressed point.
pub fn verify(
    point: &[u8; POINT_LENGTH],
    message: &[u8],
    signature: &[u8],
) -> Result<(), OpenError> {
    let key = key_at(point).ok_or(OpenError)?;
    let signature = Signature::from_slice(signature).map_err(|_| OpenError)?;
    key.verify(message, &signature).map_err(|_| OpenError)
}
