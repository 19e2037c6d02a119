//! The unmodified core and everything that can go wrong around it.

use std::{sync::Arc, time::Duration};

use sekisho_bridge::{
    OpClient, OpError,
    client::{SdkConfig, SdkCore, ServiceToken},
    net::{Allowance, Guard, Hosts, HttpTransport, Meter},
};
use sekisho_op_stand_in::{Fault, StandIn, When};

use crate::support::{client, core};

#[test]
fn statuses_become_typed_errors() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("v", "", "U");
    let item = service.add_login(vault, "t", "p");
    client.vaults(true).unwrap();
    let rows = [
        (Fault::Status(403), OpError::Denied),
        (Fault::Status(404), OpError::Missing),
        (Fault::Status(503), OpError::Unavailable),
        (Fault::Status(500), OpError::Unavailable),
        (Fault::Limited(None), OpError::RateLimited),
        (Fault::Limited(Some(77)), OpError::RateLimited),
        (Fault::Lost, OpError::Unavailable),
        (Fault::Cut, OpError::Unavailable),
        (Fault::Malformed, OpError::Poisoned),
    ];
    for (fault, wanted) in rows {
        service.fail(When::path("/item/", 1), fault.clone());
        assert_eq!(client.get(vault, item).unwrap_err(), wanted, "{fault:?}");
        if wanted == OpError::RateLimited {
            let told = client.meter().take_limited().unwrap().retry_after;
            let said = match fault {
                Fault::Limited(after) => after,
                _ => None,
            };
            assert_eq!(told, said);
        }
        assert!(client.get(vault, item).is_ok(), "after {fault:?}");
    }
    service.fail(When::path("/items", 1), Fault::Status(409));
    let item = client.get(vault, item).unwrap();
    assert_eq!(client.put(&item).unwrap_err(), OpError::Conflict);
}

#[test]
fn an_expired_session_costs_one_sign_in() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    service.add_vault("v", "", "U");
    client.vaults(false).unwrap();
    service.take_seen();
    service.expire_sessions();
    assert_eq!(client.vaults(false).unwrap().len(), 1);
    assert_eq!(service.take_seen().len(), 1 + 5);
}

#[test]
fn an_unknown_device_is_registered() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    service.forget_device();
    assert!(client.vaults(false).is_ok());
    let seen = service.take_seen();
    assert!(
        seen.iter()
            .any(|seen| seen.path.starts_with("/api/v1/device"))
    );
    assert_eq!(seen.len(), 6 + 1);
    assert!(
        seen[0].user_agent.contains("Sekisho"),
        "{}",
        seen[0].user_agent
    );
}

#[test]
fn a_refused_token_is_tried_three_times_and_no_more() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    service.revoke_token(true);
    for _ in 0..3 {
        assert_eq!(client.vaults(false), Err(OpError::Auth));
    }
    let cost = service.take_seen().len();
    assert!(cost <= 6, "{cost} requests");
    for _ in 0..10 {
        assert_eq!(client.vaults(false), Err(OpError::Auth));
    }
    assert_eq!(service.take_seen().len(), 0, "nothing more is sent");
}

#[test]
fn a_token_of_another_host_is_never_followed() {
    let service = StandIn::new("https://evil.example");
    let Some(mut client) = client(&service) else {
        return;
    };
    assert!(client.vaults(false).is_err());
    assert_eq!(service.take_seen().len(), 0);
    assert!(client.meter().take_refusal().is_some());
}

#[test]
fn redirects_are_not_followed() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    client.vaults(false).unwrap();
    service.take_seen();
    service.fail(When::next(1), Fault::Redirect("https://evil.example/"));
    assert!(client.vaults(false).is_err());
    assert_eq!(service.take_seen().len(), 1);
    assert!(client.vaults(false).is_ok());
}

/// Fifty traps and fifty network failures in a row leave it working (op-account.md §A.3).
#[test]
fn poison_does_not_stay() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    let vault = service.add_vault("v", "", "U");
    let item = service.add_login(vault, "t", "p");
    client.vaults(true).unwrap();
    for round in 0..50 {
        service.fail(When::path("/item/", 1), Fault::Malformed);
        assert_eq!(client.get(vault, item), Err(OpError::Poisoned), "{round}");
    }
    assert!(client.get(vault, item).is_ok());
    for round in 0..50 {
        service.fail(When::path("/item/", 1), Fault::Lost);
        assert_eq!(
            client.get(vault, item),
            Err(OpError::Unavailable),
            "{round}"
        );
    }
    assert!(client.get(vault, item).is_ok());
}

#[test]
fn a_used_up_allowance_sends_nothing() {
    let service = StandIn::default();
    let Some(mut client) = client(&service) else {
        return;
    };
    client.vaults(false).unwrap();
    service.take_seen();
    client.meter().allow(Allowance::Requests(1));
    assert!(client.vaults(false).is_ok());
    assert_eq!(client.vaults(false), Err(OpError::Unavailable));
    assert_eq!(service.take_seen().len(), 1);
    client.meter().allow(Allowance::Unlimited);
    assert!(client.vaults(false).is_ok());
}

/// The same over real sockets, with our own network code: cut bodies, broken connections, slowness.
#[test]
fn over_loopback() {
    let Some(core) = core() else { return };
    let service = StandIn::default();
    let server = service.serve();
    let client = |hosts| {
        let transport = Arc::new(HttpTransport::new(Duration::from_secs(2)));
        let guard = Guard::new(hosts, transport, Arc::new(Meter::default()));
        SdkCore::new(SdkConfig {
            core: Arc::clone(&core),
            guard: Arc::new(guard),
            token: ServiceToken::parse(&service.token()).unwrap(),
            max_file: 1024,
            pause: Some(Duration::ZERO),
        })
    };
    assert!(
        client(Hosts::Vendor).vaults(false).is_err(),
        "not without the switch"
    );
    assert_eq!(service.take_seen().len(), 0);
    let mut client = client(Hosts::DangerousLoopback);
    service.add_vault("v", "", "U");
    let first = client.vaults(true);
    assert_eq!(
        first.unwrap_or_else(|error| panic!("{error}: {:?}", service.take_seen()))[0].title,
        "v"
    );
    for fault in [
        Fault::Cut,
        Fault::Lost,
        Fault::LostAnswer,
        Fault::Slow(Duration::from_secs(3)),
        Fault::Redirect("http://127.0.0.1:1/"),
    ] {
        service.fail(When::path("/vaults", 1), fault.clone());
        assert_eq!(client.vaults(false), Err(OpError::Unavailable), "{fault:?}");
        assert!(client.vaults(false).is_ok(), "after {fault:?}");
    }
    drop(server);
    assert_eq!(client.vaults(false), Err(OpError::Unavailable));
}
