use super::*;

const START: u64 = 1_700_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(START + seconds)
}

fn reads(reads: u64) -> MeterReading {
    MeterReading {
        reads,
        ..MeterReading::default()
    }
}

fn budget() -> Budget {
    Budget::new(Plan::FAMILIES, Ledger::default(), "t")
}

#[test]
fn plans_by_name_and_by_number() {
    assert_eq!(Plan::parse("Families"), Some(Plan::FAMILIES));
    assert_eq!(Plan::parse("business"), Some(Plan::BUSINESS));
    let own = Plan::parse("2000").unwrap();
    assert_eq!((own.per_day, own.interval), (2000, 144));
    assert_eq!(Plan::parse("7"), None);
    assert_eq!(Plan::parse("platinum"), None);
}

#[test]
fn it_slows_down_at_half_of_the_pace_and_leaves_a_fifth_of_the_day() {
    let mut budget = budget();
    budget.spend(at(0), &reads(40));
    assert_eq!(budget.interval(at(1)), 300);
    budget.spend(at(2), &reads(10));
    assert_eq!(budget.interval(at(3)), 600, "50 of two hours' 83");
    assert_eq!(budget.interval(at(DAY / 2)), 300, "50 of half a day's 500");
    budget.spend(at(4), &reads(745));
    assert!(budget.may_read(at(5), 5).is_ok());
    assert_eq!(budget.may_read(at(5), 6), Err(Hold::Spent(at(DAY))));
    assert!(budget.may_write(at(5), 3).is_ok(), "writes go on");
    assert_eq!(budget.used_today(at(5)), 795);
    assert_eq!(budget.used_today(at(DAY + 1)), 0, "another day");
}

#[test]
fn dear_polls_come_less_often() {
    let mut budget = budget();
    budget.polling(at(0));
    budget.spend(at(0), &reads(10));
    budget.polled(at(1));
    let interval = budget.interval(at(1));
    assert!(
        (1_100..=1_200).contains(&interval),
        "{interval}: 740 for a day, 10 each"
    );
    for round in 1..20 {
        budget.polling(at(round * 1_000));
        budget.spend(at(round * 1_000), &reads(1));
        budget.polled(at(round * 1_000));
    }
    assert_eq!(budget.interval(at(20_000)), 300, "cheap again");
}

/// Clients that write evenly do not make polls rarer towards the day's end.
#[test]
fn polls_leave_room_for_the_writes_to_come() {
    let mut budget = budget();
    let write = MeterReading {
        reads: 2,
        writes: 1,
        ..MeterReading::default()
    };
    let (mut polled, mut longest) = (0, 0);
    for now in (0..DAY).step_by(10) {
        if now % 1_800 == 0 {
            budget.spend(at(now), &write);
        }
        if budget.next_poll(at(now)) <= at(now) {
            longest = longest.max(now - polled);
            polled = now;
            budget.polling(at(now));
            budget.spend(at(now), &reads(11));
            budget.polled(at(now));
        }
    }
    assert!(longest <= 2_000, "{longest} s");
    assert!(DAY - polled <= 2_000);
}

#[test]
fn the_whole_day_is_never_exceeded() {
    let mut budget = budget();
    budget.spend(at(0), &reads(998));
    assert!(budget.may_write(at(1), 2).is_ok());
    assert!(matches!(budget.may_write(at(1), 3), Err(Hold::Spent(_))));
}

#[test]
fn hours_limit_too() {
    let mut budget = Budget::new(Plan::TEAMS, Ledger::default(), "t");
    budget.spend(at(0), &reads(899));
    assert!(budget.may_read(at(1), 1).is_ok());
    assert_eq!(budget.may_read(at(1), 2), Err(Hold::Spent(at(HOUR))));
    assert!(budget.may_read(at(HOUR), 50).is_ok());
    let writes = MeterReading {
        writes: 90,
        ..MeterReading::default()
    };
    budget.spend(at(HOUR), &writes);
    assert!(budget.may_write(at(HOUR + 1), 3).is_err());
}

#[test]
fn a_429_is_obeyed_over_a_restart() {
    let mut first = budget();
    first.spend(at(0), &reads(1));
    first.limited(at(10), Some(120), 0);
    let kept: Ledger =
        serde_json::from_str(&serde_json::to_string(first.ledger()).unwrap()).unwrap();
    let second = Budget::new(Plan::FAMILIES, kept, "t");
    assert_eq!(second.may_read(at(129), 1), Err(Hold::Limited(at(130))));
    assert_eq!(second.may_write(at(129), 1), Err(Hold::Limited(at(130))));
    assert!(second.may_read(at(130), 1).is_ok());
    let mut unsaid = budget();
    unsaid.spend(at(0), &reads(1));
    unsaid.limited(at(10), None, 7);
    assert_eq!(unsaid.may_read(at(11), 1), Err(Hold::Limited(at(HOUR + 7))));
}

#[test]
fn refused_tokens_stop_everything_until_another_one_comes() {
    let mut budget = budget();
    budget.spend(at(0), &reads(9));
    budget.signed_in(3);
    assert_eq!(budget.may_read(at(1), 1), Err(Hold::Token));
    let same = Budget::new(Plan::FAMILIES, budget.ledger().clone(), "t");
    assert_eq!(same.may_write(at(2), 1), Err(Hold::Token));
    let other = Budget::new(Plan::FAMILIES, budget.ledger().clone(), "other");
    assert!(other.may_read(at(2), 1).is_ok());
    assert_eq!(other.used_today(at(2)), 9, "the day is the account's");
}

/// A poll that costs ten requests each time still ends the day at four fifths.
#[test]
fn a_busy_day_stays_within_the_plan() {
    let mut budget = budget();
    let (mut now, mut polls) = (0, 0);
    while now < DAY {
        if budget.next_poll(at(now)) <= at(now) {
            budget.polling(at(now));
            budget.spend(at(now), &reads(10));
            budget.polled(at(now));
            polls += 1;
        }
        now += 10;
    }
    let used = budget.used_today(at(DAY - 1));
    assert!((700..=810).contains(&used), "{used} in {polls} polls");
}
