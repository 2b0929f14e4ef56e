"""All DDL, as ordered SQL files run by yoyo-migrations."""
