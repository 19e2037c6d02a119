//! Reading the replica at start, writing plans afterwards. One connection, one writer: the sync core's thread.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};
use sekisho_core::{
    id::{IdError, ItemId, VaultId},
    records::{ItemRecord, TitleMark, TokenRecord, VaultRecord, VaultType},
    seal::Sealed,
    sync::{Plan, SignedHead, Step},
    time::Timestamp,
};

use super::{StoreError, open, schema};

/// The file of sealed records.
pub struct Replica {
    path: PathBuf,
    connection: Connection,
}

impl Replica {
    /// The replica in a directory, which is made if it is missing. A damaged file is moved aside.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("replica.sqlite");
        let connection = open::open(&path, schema::REPLICA)?;
        Ok(Self { path, connection })
    }

    /// Moves the file aside and begins a new one.
    pub fn renew(&mut self) -> Result<(), StoreError> {
        // The old file must be closed before it moves, or its journal is written under the new one's name.
        self.connection = Connection::open_in_memory()?;
        let aside = open::move_aside(&self.path)?;
        tracing::warn!(aside = %aside.display(), "the replica was moved aside");
        self.connection = open::open(&self.path, schema::REPLICA)?;
        Ok(())
    }

    /// Everything it holds, as the plan that restores it; `None` when nothing was synchronised yet.
    pub fn load(&self) -> Result<Option<Plan>, StoreError> {
        let state: Option<(String, String)> = self
            .connection
            .query_row("SELECT cursor, head FROM state", (), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let Some((cursor, head)) = state else {
            return Ok(None);
        };
        let head: SignedHead =
            serde_json::from_str(&head).map_err(|_| StoreError::Damaged("the head"))?;
        let mut steps = Vec::new();
        self.each("SELECT * FROM vault", |row| {
            steps.push(Step::PutVault(vault(row)?));
            Ok(())
        })?;
        self.each("SELECT * FROM item", |row| {
            let (vault, item) = item(row)?;
            steps.push(Step::PutItem(vault, Arc::new(item)));
            Ok(())
        })?;
        self.each("SELECT record FROM token", |row| {
            steps.push(Step::PutToken(token(row)?));
            Ok(())
        })?;
        Ok(Some(Plan::restore(steps, head, cursor)))
    }

    fn each(
        &self,
        query: &str,
        mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    }

    /// Does what a plan says, in one transaction, head and cursor included.
    pub fn apply(&mut self, plan: &Plan) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        if plan.reset() {
            transaction.execute_batch("DELETE FROM item; DELETE FROM vault; DELETE FROM token;")?;
        }
        for step in plan.steps() {
            take(&transaction, step)?;
        }
        let head = serde_json::to_string(plan.head())
            .map_err(|_| StoreError::Damaged("a head that cannot be written"))?;
        transaction.execute(
            "INSERT OR REPLACE INTO state (id, cursor, head) VALUES (1, ?1, ?2)",
            params![plan.cursor(), head],
        )?;
        transaction.commit()?;
        Ok(())
    }
}

fn take(transaction: &Transaction<'_>, step: &Step) -> Result<(), StoreError> {
    let run = |query: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        transaction.prepare_cached(query)?.execute(values)?;
        Ok(())
    };
    match step {
        Step::PutVault(vault) => put_vault(transaction, vault),
        Step::RemoveVault(id) => {
            run("DELETE FROM item WHERE vault = ?1", &[&id.as_str()])?;
            run("DELETE FROM vault WHERE id = ?1", &[&id.as_str()])
        }
        Step::PutItem(vault, item) => put_item(transaction, vault, item),
        Step::RemoveItem(vault, item) => run(
            "DELETE FROM item WHERE vault = ?1 AND id = ?2",
            &[&vault.as_str(), &item.as_str()],
        ),
        Step::PutToken(token) => {
            let record = serde_json::to_string(token)
                .map_err(|_| StoreError::Damaged("a token's record that cannot be written"))?;
            run(
                "INSERT OR REPLACE INTO token (id, record) VALUES (?1, ?2)",
                &[&token.id.as_str(), &record],
            )
        }
        Step::RemoveToken(id) => run("DELETE FROM token WHERE id = ?1", &[&id.as_str()]),
    }
}

fn put_vault(transaction: &Transaction<'_>, vault: &VaultRecord) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO vault
             VALUES (:id, :kind, :attribute, :content, :items, :created, :updated, :attributes)",
        )?
        .execute(named_params! {
            ":id": vault.id.as_str(),
            ":kind": vault.kind.as_str(),
            ":attribute": vault.attribute_version.cast_signed(),
            ":content": vault.content_version.cast_signed(),
            ":items": vault.items.cast_signed(),
            ":created": vault.created_at.millis().cast_signed(),
            ":updated": vault.updated_at.millis().cast_signed(),
            ":attributes": vault.attributes.as_bytes(),
        })?;
    Ok(())
}

fn put_item(
    transaction: &Transaction<'_>,
    vault: &VaultId,
    item: &ItemRecord,
) -> Result<(), StoreError> {
    // As in the snapshot: an item of a vault that is not held has nowhere to go.
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO item
                 (vault, id, version, archived, exact, folded, overview, details, extra, files)
             SELECT :vault, :id, :version, :archived, :exact, :folded, :overview, :details, :extra, :files
             WHERE EXISTS (SELECT 1 FROM vault WHERE id = :vault)",
        )?
        .execute(named_params! {
            ":vault": vault.as_str(),
            ":id": item.id.as_str(),
            ":version": item.version.cast_signed(),
            ":archived": item.archived,
            ":exact": item.marks[0].0.as_slice(),
            ":folded": item.marks[1].0.as_slice(),
            ":overview": item.overview.as_bytes(),
            ":details": item.details.as_bytes(),
            ":extra": item.extra.as_ref().map(Sealed::as_bytes),
            ":files": item.files.as_ref().map(Sealed::as_bytes),
        })?;
    Ok(())
}

fn vault(row: &Row<'_>) -> Result<VaultRecord, StoreError> {
    let kind: String = row.get("kind")?;
    Ok(VaultRecord {
        id: id(VaultId::parse(
            row.get_ref("id")?.as_str().unwrap_or_default(),
        ))?,
        kind: VaultType::parse(&kind).ok_or(StoreError::Damaged("a vault's type"))?,
        attribute_version: number(row, "attribute_version")?,
        content_version: number(row, "content_version")?,
        items: number(row, "items")?,
        created_at: Timestamp::from_millis(number(row, "created_at")?),
        updated_at: Timestamp::from_millis(number(row, "updated_at")?),
        attributes: Sealed::from_bytes(row.get("attributes")?),
    })
}

fn item(row: &Row<'_>) -> Result<(VaultId, ItemRecord), StoreError> {
    let vault = id(VaultId::parse(
        row.get_ref("vault")?.as_str().unwrap_or_default(),
    ))?;
    let item = ItemRecord {
        id: id(ItemId::parse(
            row.get_ref("id")?.as_str().unwrap_or_default(),
        ))?,
        version: number(row, "version")?,
        archived: row.get("archived")?,
        marks: [TitleMark(row.get("exact")?), TitleMark(row.get("folded")?)],
        overview: Sealed::from_bytes(row.get("overview")?),
        details: Sealed::from_bytes(row.get("details")?),
        extra: row.get::<_, Option<_>>("extra")?.map(Sealed::from_bytes),
        files: row.get::<_, Option<_>>("files")?.map(Sealed::from_bytes),
    };
    Ok((vault, item))
}

fn token(row: &Row<'_>) -> Result<TokenRecord, StoreError> {
    let record: String = row.get(0)?;
    serde_json::from_str(&record).map_err(|_| StoreError::Damaged("a token's record"))
}

fn number(row: &Row<'_>, column: &str) -> Result<u64, StoreError> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn id<T>(parsed: Result<T, IdError>) -> Result<T, StoreError> {
    parsed.map_err(|_| StoreError::Damaged("an id"))
}
