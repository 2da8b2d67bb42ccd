"""The schedule as a DataFrame: a notebook, cell by cell. Editors that know `# %%` run it as one.

It takes the pandas extra: `pip install 'kai-erp[pandas]'`.
"""

# %% Connect once; the connection serves all cells. Without demo=True it is your own ERP.
import kai_erp

erp = kai_erp.connect_sync(demo=True)

# %% One question, one DataFrame.
schedule = erp.schedule().to_pandas()
print(schedule[["job", "operation_num", "work_center", "qty_remaining", "status"]].head())

# %% Hours to go, by work center and status.
hours = schedule.pivot_table("hours_remaining", "work_center", "status", "sum", fill_value=0)
print(hours.round(1))

# %% Close when done.
erp.close()
