//! Keys wrap and unwrap where they belong, and nowhere else.

use super::*;
use crate::cipher::test_rng;

#[test]
fn operator_keys_follow_from_the_seed() {
    let key = OperatorKey::generate(&mut test_rng(1));
    let again = OperatorKey::from_seed(key.seed().clone());
    assert_eq!(key.public(), again.public());
    let signature = key.sign(b"request");
    assert!(
        again
            .public()
            .signing
            .verify(b"request", &signature)
            .is_ok()
    );
    assert!(
        again
            .public()
            .signing
            .verify(b"request!", &signature)
            .is_err()
    );
}

#[test]
fn a_vault_key_unwraps_only_for_its_operator_and_vault() {
    let rng = &mut test_rng(2);
    let (alice, bob) = (OperatorKey::generate(rng), OperatorKey::generate(rng));
    let (user, vault, other) = (
        UserId::generate(rng),
        VaultId::generate(rng),
        VaultId::generate(rng),
    );
    let key = VaultKey::generate(3, rng);
    let wrapped = alice
        .public()
        .wrap_vault_key(&user, &vault, &key, rng)
        .unwrap();
    let back = alice.unwrap_vault_key(&user, &vault, &wrapped).unwrap();
    assert_eq!((back.generation, &back.bytes), (3, &key.bytes));
    assert!(bob.unwrap_vault_key(&user, &vault, &wrapped).is_err());
    assert!(alice.unwrap_vault_key(&user, &other, &wrapped).is_err());
    let own = alice.wrap_own_vault_key(&user, &vault, &key, rng);
    let back = alice.unwrap_vault_key(&user, &vault, &own).unwrap();
    assert_eq!((back.generation, &back.bytes), (3, &key.bytes));
    assert!(bob.unwrap_vault_key(&user, &vault, &own).is_err());
    assert!(alice.unwrap_vault_key(&user, &other, &own).is_err());
}

#[test]
fn a_token_unwraps_both_methods_and_only_its_own_place() {
    let rng = &mut test_rng(3);
    let (environment, token, vault) = (
        EnvironmentId::generate(rng),
        TokenId::generate(rng),
        VaultId::generate(rng),
    );
    let place = TokenPlace {
        environment: &environment,
        token: &token,
        vault: &vault,
        rights: Rights::READ,
    };
    let (secret, key) = (TokenKey::generate(rng), VaultKey::generate(1, rng));
    let direct = secret.wrap(&place, &key, rng);
    let rewrapped = rewrap_for_token(&secret.public(), &place, &key, rng).unwrap();
    for wrapped in [&direct, &rewrapped] {
        assert_eq!(secret.unwrap(&place, wrapped).unwrap().bytes, key.bytes);
        let stronger = TokenPlace {
            rights: Rights::READ_WRITE,
            ..place
        };
        assert!(
            secret.unwrap(&stronger, wrapped).is_err(),
            "rights are bound"
        );
        assert!(TokenKey::generate(rng).unwrap(&place, wrapped).is_err());
    }
    let mut older = direct.0;
    older[5] ^= 1;
    assert!(
        secret.unwrap(&place, &WrappedKey(older)).is_err(),
        "the generation is bound"
    );
}

#[test]
fn an_environment_key_survives_wrapping() {
    let rng = &mut test_rng(4);
    let (operator, user, environment) = (
        OperatorKey::generate(rng),
        UserId::generate(rng),
        EnvironmentId::generate(rng),
    );
    let key = EnvironmentKey::generate(rng);
    let wrapped = operator
        .public()
        .wrap_environment_key(&user, &environment, &key, rng)
        .unwrap();
    let back = operator
        .unwrap_environment_key(&user, &environment, key.id(), &wrapped)
        .unwrap();
    assert_eq!(back.public(), key.public());
    assert!(
        operator
            .unwrap_environment_key(&user, &environment, KeyId::generate(rng), &wrapped)
            .is_err()
    );
}
