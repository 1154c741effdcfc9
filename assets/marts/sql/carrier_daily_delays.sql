SELECT
    flight_date,
    carrier,
    COUNT(*) AS flights,
    COUNT(CASE WHEN dep_delay IS NULL AND arr_delay IS NULL THEN 1 END) AS cancelled,
    COUNT(CASE WHEN dep_delay IS NOT NULL AND arr_delay IS NULL THEN 1 END) AS diverted,
    COUNT(CASE WHEN arr_delay >= %(delayed)s THEN 1 END) AS delayed_flights,
    COUNT(CASE WHEN dep_delay >= %(delayed)s THEN 1 END) AS delayed_departures,
    SUM(dep_delay) AS total_dep_delay,
    SUM(arr_delay) AS total_arr_delay,
    -- Redshift cuts the mean of whole numbers down to a whole number.
    ROUND(AVG(CAST(dep_delay AS DECIMAL(18, 6))), 3) AS avg_dep_delay,
    ROUND(AVG(CAST(arr_delay AS DECIMAL(18, 6))), 3) AS avg_arr_delay
FROM airlines.daily_flights_processed
WHERE flight_date IN %(days)s
GROUP BY flight_date, carrier
