//! Keys wrapped under keys.

use sekisho_core::{
    id::{EnvironmentId, KeyId, TokenId, UserId, VaultId},
    key::{EnvironmentKey, OperatorKey, TokenKey, TokenPlace, rewrap_for_token},
    secret::SecretBytes,
    token::Rights,
};
use sekisho_tests::vectors::{Exactly, Vector, to_hex};

use crate::{Family, NO, key_of, rng};

pub(crate) fn wrapped_to_operator(all: &mut Vec<Vector>) {
    let rng = &mut rng("operator");
    let (user, vault) = (UserId::generate(rng), VaultId::generate(rng));
    let seed = SecretBytes::<32>::generate(rng);
    let seed_text = to_hex(seed.expose());
    let operator = OperatorKey::from_seed(seed);
    let (key, bytes) = key_of("operator vault", 2);
    let wrapped = operator
        .public()
        .wrap_vault_key(&user, &vault, &key, rng)
        .unwrap();
    let headers = [
        ("seed", seed_text),
        ("user", user.to_string()),
        ("vault", vault.to_string()),
        ("key", to_hex(&bytes)),
    ];
    let other = to_hex(SecretBytes::<32>::generate(rng).expose());
    Family::of(
        all,
        "wrapped-to-operator",
        "hpke",
        &headers,
        wrapped.as_bytes().to_vec(),
    )
    .good("opens")
    .with(
        "other-user",
        NO,
        "the same key, another name",
        "user",
        UserId::generate(rng),
    )
    .with(
        "other-vault",
        NO,
        "moved to another vault",
        "vault",
        VaultId::generate(rng),
    )
    .with(
        "other-operator",
        NO,
        "another operator's key",
        "seed",
        other,
    )
    .bytes(
        "other-generation",
        NO,
        "an older generation in the header",
        |b| b[5] = 1,
    )
    .bytes(
        "method-swapped",
        NO,
        "said to be of the other method",
        |b| b[1] = 1,
    )
    .bytes("flipped-encapsulation", NO, "byte 6", |b| b[6] ^= 1)
    .bytes("flipped-ciphertext", NO, "byte 40", |b| b[40] ^= 1)
    .bytes("small-point", NO, "an encapsulated key of low order", |b| {
        b[6..38].fill(0)
    })
    .bytes("truncated", NO, "one byte too few", |b| {
        b.pop();
    });
}

pub(crate) fn environment_key(all: &mut Vec<Vector>) {
    let rng = &mut rng("environment");
    let (user, environment) = (UserId::generate(rng), EnvironmentId::generate(rng));
    let seed = SecretBytes::<32>::generate(rng);
    let seed_text = to_hex(seed.expose());
    let operator = OperatorKey::from_seed(seed);
    let key = EnvironmentKey::generate(rng);
    let wrapped = operator
        .public()
        .wrap_environment_key(&user, &environment, &key, rng)
        .unwrap();
    let headers = [
        ("seed", seed_text),
        ("user", user.to_string()),
        ("environment", environment.to_string()),
        ("kid", key.id().to_string()),
        ("public", to_hex(key.public().as_bytes())),
    ];
    Family::of(
        all,
        "environment-key",
        "hpke",
        &headers,
        wrapped.as_bytes().to_vec(),
    )
    .good("opens")
    .with(
        "other-kid",
        NO,
        "named otherwise",
        "kid",
        KeyId::generate(rng),
    )
    .with(
        "other-environment",
        NO,
        "moved to another environment",
        "environment",
        EnvironmentId::generate(rng),
    )
    .with(
        "other-user",
        NO,
        "another name",
        "user",
        UserId::generate(rng),
    );
}

pub(crate) fn wrapped_for_token(all: &mut Vec<Vector>) {
    let rng = &mut rng("token key");
    let (environment, token, vault) = (
        EnvironmentId::generate(rng),
        TokenId::generate(rng),
        VaultId::generate(rng),
    );
    let secret = SecretBytes::<32>::generate(rng).expose().to_vec();
    let holder = TokenKey::generate(&mut Exactly(secret.clone()));
    let (key, bytes) = key_of("token vault", 5);
    let place = TokenPlace {
        environment: &environment,
        token: &token,
        vault: &vault,
        rights: Rights::READ,
    };
    let headers = [
        ("secret", to_hex(&secret)),
        ("environment", environment.to_string()),
        ("token", token.to_string()),
        ("vault", vault.to_string()),
        ("rights", "r".to_owned()),
        ("key", to_hex(&bytes)),
    ];
    let other = to_hex(SecretBytes::<32>::generate(rng).expose());
    let wrapped = [
        ("aead", holder.wrap(&place, &key, rng)),
        (
            "hpke",
            rewrap_for_token(&holder.public(), &place, &key, rng).unwrap(),
        ),
    ];
    for (method, wrapped) in wrapped {
        Family::of(
            all,
            "wrapped-for-token",
            method,
            &headers,
            wrapped.as_bytes().to_vec(),
        )
        .good("opens")
        .with(
            "more-rights",
            NO,
            "read made read and write",
            "rights",
            "rw",
        )
        .with(
            "other-vault",
            NO,
            "moved to another vault",
            "vault",
            VaultId::generate(rng),
        )
        .with(
            "other-token",
            NO,
            "moved to another token",
            "token",
            TokenId::generate(rng),
        )
        .with(
            "other-environment",
            NO,
            "moved to another environment",
            "environment",
            EnvironmentId::generate(rng),
        )
        .with(
            "other-secret",
            NO,
            "another token's secret",
            "secret",
            &other,
        )
        .bytes("older-generation", NO, "generation 4 in the header", |b| {
            b[5] = 4
        })
        .bytes("unknown-method", NO, "a method that does not exist", |b| {
            b[1] = 3
        })
        .bytes(
            "unknown-version",
            NO,
            "a version that does not exist",
            |b| b[0] = 2,
        )
        .bytes("flipped", NO, "the last byte", |b| {
            *b.last_mut().unwrap() ^= 1
        })
        .bytes("extended", NO, "one byte too many", |b| b.push(0));
    }
}
