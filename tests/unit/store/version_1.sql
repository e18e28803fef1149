-- What openhookd 0.1 with schema version 1 wrote: a writable disk under two names, a file of a job,
-- a directory to create in. Printed by sqlite3's .dump.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('boot_id','00000000-0000-0000-0000-000000000000');
INSERT INTO meta VALUES('generation','3');
INSERT INTO meta VALUES('vm','11111111-2222-3333-4444-555555555555');
CREATE TABLE grants (id INTEGER PRIMARY KEY, lease TEXT NOT NULL, path BLOB NOT NULL,  access INTEGER NOT NULL, source TEXT NOT NULL, format TEXT NOT NULL, role TEXT NOT NULL,  depth INTEGER NOT NULL, created_unix INTEGER NOT NULL, stale INTEGER NOT NULL,  file_kind INTEGER, file_dev INTEGER, file_ino INTEGER, file_mount_id INTEGER, file_rdev INTEGER, file_birth_ns INTEGER, file_birth_settled INTEGER, file_handle BLOB, dir_kind INTEGER, dir_dev INTEGER, dir_ino INTEGER, dir_mount_id INTEGER, dir_rdev INTEGER, dir_birth_ns INTEGER, dir_birth_settled INTEGER, dir_handle BLOB,  UNIQUE (lease, path));
INSERT INTO grants VALUES(1,'domain',X'2f7372762f696d616765732f6469736b2e696d67',1,'disk vda','','',0,1795564247,0,0,65024,10953593,27,0,1795564246639110052,0,X'010000007923a7006f7dd660',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO grants VALUES(2,'job:commit-1',X'2f7372762f696d616765732f626173652e696d67',0,'','','',0,1795564247,0,0,65024,10953592,27,0,1795564246637330503,0,X'010000007823a70016c9a978',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO grants VALUES(3,'domain',X'2f7372762f696d616765732f6f7574',2,'','','',0,1795564247,0,4,65024,10953595,27,0,1795564246640028466,0,X'010000007b23a70004c997e7',4,65024,10953591,27,0,1795564246637330503,0,X'010000007723a7006c5603e8');
CREATE TABLE aliases (grant_id INTEGER NOT NULL REFERENCES grants(id) ON DELETE CASCADE,  name BLOB NOT NULL, PRIMARY KEY (grant_id, name)) WITHOUT ROWID;
INSERT INTO aliases VALUES(1,X'2f7372762f696d616765732f6c696e6b2e696d67');
CREATE TABLE created (path BLOB PRIMARY KEY, lease TEXT NOT NULL, token INTEGER NOT NULL,  file_kind INTEGER, file_dev INTEGER, file_ino INTEGER, file_mount_id INTEGER, file_rdev INTEGER, file_birth_ns INTEGER, file_birth_settled INTEGER, file_handle BLOB, dir_kind INTEGER, dir_dev INTEGER, dir_ino INTEGER, dir_mount_id INTEGER, dir_rdev INTEGER, dir_birth_ns INTEGER, dir_birth_settled INTEGER, dir_handle BLOB);
CREATE TABLE creating (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), path BLOB NOT NULL,  lease TEXT NOT NULL, token INTEGER NOT NULL, dir_kind INTEGER, dir_dev INTEGER, dir_ino INTEGER, dir_mount_id INTEGER, dir_rdev INTEGER, dir_birth_ns INTEGER, dir_birth_settled INTEGER, dir_handle BLOB);
PRAGMA user_version = 1;
