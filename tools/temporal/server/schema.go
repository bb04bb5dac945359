package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql/driver"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql/session"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/tools/common/schema"

	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // the plugin registers itself
)

// A database that recovers from a crash refuses connections until it is done.
const databaseWithin = 5 * time.Minute

// bringUpSchemas waits for the databases and makes or updates what is in them, before anything else uses them.
func bringUpSchemas(ctx context.Context, conf *config.Config, logger log.Logger) error {
	for store, name := range map[string]string{
		conf.Persistence.DefaultStore:    "postgresql/v12/temporal",
		conf.Persistence.VisibilityStore: "postgresql/v12/visibility",
	} {
		sql := conf.Persistence.DataStores[store].SQL
		db, err := waitForDatabase(ctx, sql, logger)
		if err != nil {
			return err
		}
		err = bringUpSchema(ctx, db, sql.DatabaseName, name, logger)
		_ = db.Close()
		if err != nil {
			return fmt.Errorf("the schema of database %s: %w", sql.DatabaseName, err)
		}
	}
	return nil
}

func waitForDatabase(ctx context.Context, sql *config.SQL, logger log.Logger) (*sqlx.DB, error) {
	deadline := time.Now().Add(databaseWithin)
	for saidAt := (time.Time{}); ; {
		connection, err := session.NewSession(sql, &driver.PGXDriver{}, resolver.NewNoopResolver())
		if err == nil {
			return connection.DB, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("database %s does not answer: %w", sql.DatabaseName, err)
		}
		if time.Since(saidAt) > 10*time.Second {
			logger.Warn("waiting for the database", tag.Error(err))
			saidAt = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// bringUpSchema does in one transaction what Temporal's schema tool does statement by statement: a process that dies over it
// leaves the schema as it was. What there is of a newer version stays, and is used: Temporal changes its schemas so that the server
// before can go on with them (VerifyCompatibleVersion of common/persistence/schema).
func bringUpSchema(ctx context.Context, db *sqlx.DB, database, name string, logger log.Logger) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	// One that was killed may still be at work in the database.
	if _, err := tx.Exec("SELECT pg_advisory_xact_lock(7233)"); err != nil {
		return err
	}
	within := &schemaInTransaction{tx: tx, database: database}
	if err := schema.NewSetupSchemaTask(within, &schema.SetupConfig{InitialVersion: "0.0"}, logger).Run(); err != nil {
		return err
	}
	if err := schema.NewUpdateSchemaTask(within, &schema.UpdateConfig{SchemaName: name}, logger).Run(); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaInTransaction is the schema.DB of Temporal's schema tool. The tables of versions are those of
// common/persistence/sql/sqlplugin/postgresql/admin.go, so that temporal-sql-tool knows such a database, too.
type schemaInTransaction struct {
	tx       *sqlx.Tx
	database string
}

var _ schema.DB = (*schemaInTransaction)(nil)

func (s *schemaInTransaction) Exec(statement string, args ...any) error {
	// There is nobody whom an index could hold up, and within a transaction it cannot be made otherwise.
	_, err := s.tx.Exec(strings.Replace(statement, "CREATE INDEX CONCURRENTLY", "CREATE INDEX", 1), args...)
	return err
}

func (s *schemaInTransaction) CreateSchemaVersionTables() error {
	if err := s.Exec(`CREATE TABLE IF NOT EXISTS schema_version(
		version_partition INT NOT NULL, db_name VARCHAR(255) NOT NULL, creation_time TIMESTAMP,
		curr_version VARCHAR(64), min_compatible_version VARCHAR(64),
		PRIMARY KEY (version_partition, db_name))`); err != nil {
		return err
	}
	return s.Exec(`CREATE TABLE IF NOT EXISTS schema_update_history(
		version_partition INT NOT NULL, year INT NOT NULL, month INT NOT NULL, update_time TIMESTAMP NOT NULL,
		description VARCHAR(255), manifest_md5 VARCHAR(64), new_version VARCHAR(64), old_version VARCHAR(64),
		PRIMARY KEY (version_partition, year, month, update_time))`)
}

// Of a database without a version it is 0.0: an error within a transaction would end it.
func (s *schemaInTransaction) ReadSchemaVersion() (string, error) {
	var version string
	err := s.tx.Get(&version, `SELECT COALESCE(
		(SELECT curr_version FROM schema_version WHERE version_partition = 0 AND db_name = $1), '0.0')`, s.database)
	return version, err
}

func (s *schemaInTransaction) UpdateSchemaVersion(version, minCompatible string) error {
	return s.Exec(`INSERT INTO schema_version(version_partition, db_name, creation_time, curr_version, min_compatible_version)
		VALUES (0, $1, $2, $3, $4)
		ON CONFLICT (version_partition, db_name) DO UPDATE SET creation_time = excluded.creation_time,
		curr_version = excluded.curr_version, min_compatible_version = excluded.min_compatible_version`,
		s.database, time.Now().UTC(), version, minCompatible)
}

func (s *schemaInTransaction) WriteSchemaUpdateLog(from, to, manifestMD5, description string) error {
	now := time.Now().UTC()
	return s.Exec(`INSERT INTO schema_update_history(
		version_partition, year, month, update_time, old_version, new_version, manifest_md5, description)
		VALUES (0, $1, $2, $3, $4, $5, $6, $7)`, now.Year(), int(now.Month()), now, from, to, manifestMD5, description)
}

func (s *schemaInTransaction) DropAllTables() error {
	return fmt.Errorf("nothing is dropped")
}

func (s *schemaInTransaction) Close() {}

func (s *schemaInTransaction) Type() string { return "sql" }
