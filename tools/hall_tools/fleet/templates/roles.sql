-- The back office's database and its roles; run once, as PostgreSQL's superuser, in any database:
-- psql --set ON_ERROR_STOP=1 --file roles.sql
-- What each role may do with the tables is granted by `hall ingest migrate`.
CREATE ROLE hall_owner LOGIN;    -- owns the schema, and changes it: hall ingest migrate, retain
CREATE ROLE hall_ingest LOGIN;   -- adds events: hall ingest run
CREATE ROLE hall_console LOGIN;  -- reads what the console shows: hall fleet console
CREATE ROLE hall_bi LOGIN;       -- reads the views in hall_figures: the company's own reports
CREATE DATABASE hall OWNER hall_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE hall FROM PUBLIC;
GRANT CONNECT ON DATABASE hall TO hall_ingest, hall_console, hall_bi;
